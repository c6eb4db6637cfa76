#!/bin/sh
# The packages on an empty machine: install, activate, upgrade, remove, purge.
# As root; Debian trees of its own (kept in build/deb-test/*.tar), chroot,
# and namespaces for mounts, processes and network, so that whatever was
# started ends with it.  The packages that ours need are fetched before.
# Then each guide on a booted machine, and the images: deb-guides.sh,
# containers-test.sh
# The upgrade is from a build whose host has an earlier schema of its database.
# usage: deb-test.sh [short]; builds the packages, and those before them, unless
# KEEP=yes and they are there; short: no guides and no images
set -eu
mirror=${DEB_MIRROR:-http://deb.debian.org/debian}
top=$PWD/build/deb-test
tree=$top/tree

[ "$(id -u)" = 0 ] || {
	echo "deb-test: needs root, for debootstrap and chroot" >&2
	exit 1
}
mkdir -p "$top"
bootstrap() { # NAME OPTION...: a Debian tree in $top/NAME
	rm -rf "${top:?}/$1"
	debootstrap --variant=minbase "$2" bookworm "$top/$1" "$mirror" >"$top/debootstrap-$1.log" 2>&1 || {
		tail -n 5 "$top/debootstrap-$1.log" >&2
		exit 1
	}
}
keep() { # NAME: as a file, for the next run as well
	tar -c -C "$top/$1" -f "$top/$1.tar.new" .
	mv "$top/$1.tar.new" "$top/$1.tar"
	rm -rf "${top:?}/$1"
}
if [ ! -f "$top/base.tar" ]; then
	bootstrap base --include=systemd,python3,util-linux,iproute2
	keep base
fi
# what the images begin with: Debian's least, and as in the slim image pages are
# left out, whatever is installed
if [ ! -f "$top/slim.tar" ]; then
	bootstrap slim --arch="$(dpkg --print-architecture)"
	for what in doc groff info lintian locale man; do
		echo "path-exclude /usr/share/$what/*"
		find "$top/slim/usr/share/$what" -type f ! -name copyright -delete 2>/dev/null || true
	done >"$top/slim/etc/dpkg/dpkg.cfg.d/slim"
	echo "path-include /usr/share/doc/*/copyright" >>"$top/slim/etc/dpkg/dpkg.cfg.d/slim"
	keep slim
fi
if [ "${KEEP:-no}" = no ] || [ ! -d "$top/before" ]; then
	BEFORE=tests/schema-1.patch sh tools/deb.sh "$top/first" >/dev/null
	rm -rf "$top/before"
	mv "$top/first/before" "$top/before"
fi

rm -rf "$tree"
mkdir "$tree"
tar -x -C "$tree" -f "$top/base.tar"
for build in before first; do
	mkdir -p "$tree/debs/$build"
	for f in "$top/$build"/*.deb; do
		case $f in
		*-dbgsym_*) ;;
		*) cp "$f" "$tree/debs/$build/" ;;
		esac
	done
done
# the authority's certificate, of a CA that the host is told
for name in ca tls; do
	openssl ecparam -name prime256v1 -genkey -noout -out "$tree/debs/$name.key"
done
openssl req -x509 -new -key "$tree/debs/ca.key" -subj "/CN=Test CA" -days 9 \
    -out "$tree/debs/ca.pem" -addext keyUsage=critical,keyCertSign,cRLSign
openssl req -new -key "$tree/debs/tls.key" -subj /CN=localhost -out "$tree/debs/tls.csr"
printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n' >"$tree/debs/ext"
openssl x509 -req -in "$tree/debs/tls.csr" -CA "$tree/debs/ca.pem" -CAkey "$tree/debs/ca.key" \
    -CAcreateserial -days 9 -extfile "$tree/debs/ext" -out "$tree/debs/tls.pem" 2>/dev/null

cp tools/deb-inside.sh tools/deb-test-inside.sh "$tree/debs/"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
begin=$(date +%s)
chroot "$tree" sh -c 'apt-get update -qq && apt-get install -y -qq --download-only \
    --no-install-recommends /debs/first/*.deb' >"$top/fetch.log" 2>&1 || {
	tail -n 5 "$top/fetch.log" >&2
	exit 1
}
echo "fetched what they need in $(($(date +%s) - begin)) s"
unshare --mount --pid --fork --net sh -eu -c "
	ip link set lo up
	mount -t proc proc '$tree/proc'
	exec chroot '$tree' sh /debs/deb-test-inside.sh"
[ "${1:-}" != short ] || exit 0
sh tools/deb-guides.sh "$top"
exec sh tools/containers-test.sh "$top"
