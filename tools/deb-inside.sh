#!/bin/sh
# What deb-test-inside.sh, deb-life-inside.sh and deb-shared-inside.sh have in
# common.
# shellcheck disable=SC2034
product=5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02
n=0
bad=0
is() { # WHAT WANTED GOT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $1: $3"
	else
		bad=$((bad + 1))
		echo "FAILED $1: $3, not $2"
	fi
}
apt() { # COMMAND...: it has to succeed
	code=0
	apt-get -y -qq "$@" >/tmp/apt.log 2>&1 || {
		code=$?
		tail -n 8 /tmp/apt.log
	}
	is "apt-get $1" "0 " "$code $(dpkg --audit)"
}
pid() { systemctl show -p MainPID --value "$1"; }
program() { # UNIT: does the running one come from the file that is installed?
	cmp -s "/proc/$(pid "$1")/exe" "/usr/bin/$1" && echo installed
}
failed() { systemctl list-units --failed --plain --no-legend; }
# As `. publisher` of the guides has it: an authority, a host key, a catalogue.
publish() {
	PYTHONPATH=/debs /usr/bin/python3 -c 'import guides; print(guides.PUBLISHER)' >/tmp/publisher
	cd /root || exit 1
	# shellcheck disable=SC1091
	GUIDE_VIEW=1 . /tmp/publisher >/tmp/publisher.log 2>&1
}
until_done() { # COMMAND...: within 10 s
	for _ in $(seq 50); do
		"$@" >/tmp/until.log 2>&1 && return 0
		sleep 0.2
	done
	cat /tmp/until.log
	return 1
}
machine() { # N [PORT]: a machine of its own, which asks by itself; what it ends with
	mkdir -p "/root/m$1/etc" "/root/m$1/usr/share/muster/catalogues"
	printf '%032d\n' "$1" >"/root/m$1/etc/machine-id"
	cp -n /root/acme.muster "/root/m$1/usr/share/muster/catalogues/"
	muster activate --direct --root "/root/m$1" --host "127.0.0.1:${2:-1688}" --product "$product" >/tmp/machine.log 2>&1
	echo $?
}
