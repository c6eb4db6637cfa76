#!/bin/sh
# The guides of doc/guide and doc/cluster.md, line by line, each on a machine of
# its own that begins without our packages: it is booted with systemd
# (systemd-nspawn, a network of its own with nothing but lo), installs what the
# guide says, and its units are systemd's.  What is written is in memory and ends
# with the machine.
# One more machine by the name of `life` installs, upgrades, removes and purges:
# deb-life-inside.sh; `shared` upgrades a host that shares its count, beside an
# earlier one: deb-shared-inside.sh.  `first` takes the time of the administrator's guide, from
# its apt install to the activation of a machine.
# usage: deb-guides.sh FOLDER [GUIDE...|life|shared|first]; base.tar, first/*.deb and
# before/*.deb of deb-test.sh are in FOLDER
set -eu
top=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- life shared first five-minutes publisher administrator developer \
    cluster
tree=$top/guides
# by it packages know that they may start their services
has=systemd-sysv
# what guides have their reader install, and what is the site's or the test's;
# apt has the archives, for the machines have no network
later="gcc libc6-dev pkg-config jq openssl curl bind9 bind9-dnsutils postgresql"

rm -rf "$tree"
mkdir -p "$tree"
tar -x -C "$tree" -f "$top/base.tar"
mkdir -p "$tree/debs" "$top/said"
for build in before first; do
	mkdir "$tree/debs/$build"
	for f in "$top/$build"/*.deb; do
		case $f in
		*-dbgsym_*) ;;
		*) cp "$f" "$tree/debs/$build/" ;;
		esac
	done
done
cp tools/deb-inside.sh tools/deb-life-inside.sh tools/deb-shared-inside.sh "$tree/debs/"
cp -R doc/guide "$tree/debs/guide"
cp doc/cluster.md "$tree/debs/guide/" # a shared count, by the server's packages
cp tests/e2e/guides.py "$tree/debs/"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
printf '%s\n' 'APT::Install-Recommends "false";' 'APT::Get::Assume-Yes "true";' \
    'quiet "2";' >"$tree/etc/apt/apt.conf.d/90guides"
chroot "$tree" env DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -c "apt-get update &&
    apt-get -o Dpkg::Options::=--force-unsafe-io install $has && apt-get install --download-only /debs/first/*.deb $later" \
    >"$top/guides.log" 2>&1 || {
	tail -n 5 "$top/guides.log" >&2
	exit 1
}
rm "$tree/etc/resolv.conf"
echo nameserver 127.0.0.1 >"$tree/etc/resolv.conf"
echo 127.0.0.1 kms1.corp.example kms1 localhost >"$tree/etc/hosts"
echo kms1 >"$tree/etc/hostname"

# Follows one guide and ends the machine with its verdict.
cat >"$tree/debs/follow" <<'END_OF_FOLLOW'
guide=$(cat /said/guide)
cd /root
cp /debs/first/*.deb .
# What its reader has already: from the publisher, or from an earlier page;
# openssl is for the hidden publisher.  Where the site has a name server, bind9
# starts it; elsewhere nobody answers.
case $guide in
life)
	apt-get install jq openssl curl >/said/apt 2>&1
	exec sh /debs/deb-life-inside.sh >/said/life 2>&1
	;;
shared)
	apt-get install openssl postgresql >/said/apt 2>&1
	exec sh /debs/deb-shared-inside.sh >/said/shared 2>&1
	;;
first) # the publisher is elsewhere, so nothing of ours is installed
	apt-get install bind9 openssl >/said/apt 2>&1
	for f in ./muster-authority_*.deb /var/cache/apt/archives/lib*.deb; do
		dpkg-deb -x "$f" /opt/publisher
	done
	exec /usr/bin/python3 /debs/guides.py --first /debs/guide/administrator.md >/said/first 2>&1
	;;
five-minutes) dpkg -i ./*.deb || apt-get install -f ;;
administrator) apt-get install ./muster-authority_*.deb ./muster-cli_*.deb bind9 openssl ;;
developer) apt-get install ./muster-authority_*.deb openssl ;;
cluster) apt-get install ./muster-authority_*.deb ./muster-cli_*.deb ;;
esac >/said/apt 2>&1
exec /usr/bin/python3 /debs/guides.py --installed "/debs/guide/$guide.md" >"/said/$guide" 2>&1
END_OF_FOLLOW
cat >"$tree/etc/systemd/system/follow.service" <<'END_OF_UNIT'
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
ExecStart=/bin/sh /debs/follow
END_OF_UNIT
mkdir -p "$tree/etc/systemd/system/graphical.target.wants"
ln -s ../follow.service "$tree/etc/systemd/system/graphical.target.wants/"

bad=0
for guide in "$@"; do
	begin=$(date +%s)
	echo "$guide" >"$top/said/guide"
	rm -f "$top/said/$guide"
	if systemd-nspawn --quiet -D "$tree" --volatile=overlay --register=no --keep-unit \
	    --private-network --hostname=kms1 --resolv-conf=off --bind="$top/said:/said" \
	    --boot </dev/null >"$top/said/$guide.boot" 2>&1 &&
	    grep -E "^$guide.md: [1-9].* blocks run|^(life|shared): [1-9].* checks, 0 failed|^first: [0-9.]* s" \
	    "$top/said/$guide" >"$top/said/verdict"; then
		echo "ok $(cat "$top/said/verdict"), $(($(date +%s) - begin)) s from the boot on"
	else
		bad=$((bad + 1))
		echo "FAILED $guide"
		tail -n 30 "$top/said/$guide.boot" "$top/said/apt" "$top/said/$guide" 2>/dev/null || true
	fi
done
echo "$# machines booted, $bad failed"
[ "$bad" -eq 0 ]
