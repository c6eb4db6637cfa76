#!/bin/sh
# Inside a machine that deb-guides.sh has booted: the packages before are
# installed, upgraded, removed, installed again and purged, and systemd says
# what has become of their services.  Ends with one line that counts the checks.
set -u
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
active() { systemctl is-active musterd.socket musterd muster-agent.socket muster-agent muster-authority | xargs; }
enabled() { systemctl is-enabled musterd.socket musterd muster-agent.socket muster-agent muster-authority | xargs; }
pid() { systemctl show -p MainPID --value "$1"; }
program() { # UNIT: does the running one come from the file that is installed?
	cmp -s "/proc/$(pid "$1")/exe" "/usr/bin/$1" && echo installed
}
processes() {
	for exe in /proc/[0-9]*/exe; do readlink "$exe"; done 2>/dev/null | grep muster
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
machine() { # N: a machine of its own, which asks by itself; what it ends with
	mkdir -p "/root/m$1/etc" "/root/m$1/usr/share/muster/catalogues"
	printf '%032d\n' "$1" >"/root/m$1/etc/machine-id"
	cp /root/acme.muster "/root/m$1/usr/share/muster/catalogues/"
	muster activate --direct --root "/root/m$1" --host 127.0.0.1 --product "$product" >/tmp/machine.log 2>&1
	echo $?
}
# Publisher, certificate (key, slot, activation), serial of the catalogue, count,
# capacity: what an upgrade must not change.  How many clients ask for a product
# is summed up now and then, and null before it is: all_ask looks at that.
host_facts() {
	muster host status --json | jq -cS '.publishers[] | {id, certificate, catalogue_serial, groups} |
	    del(.groups[].thresholds[].clients)'
	cat /var/lib/muster/host/*/identity.key /var/lib/muster/host/*/certificate | sha256sum
}
all_ask() { # N: of the one product
	muster host status --json | jq -e ".publishers[0].groups[0].thresholds[0].clients == $1"
}
clients() { muster host clients --csv | sort; }
slots() { muster-authority key list --dir /root/acme/db --json; }
cmid() { dd if="$lease" bs=1 skip=32 count=16 2>/dev/null | sha256sum; }
state() { find /var/lib/muster -name 'host.db' -o -name leases; }
schema() {
	/usr/bin/python3 -c "
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect('file:/var/lib/muster/host/host.db?mode=ro', uri=True)) as db:
    print(db.execute('PRAGMA user_version').fetchone()[0])"
}
answers() {
	muster host status >/dev/null 2>&1
	echo $?
}
all=$(for f in /debs/first/*.deb; do dpkg-deb -f "$f" Package; done)

apt install /debs/before/*.deb
is "active" "active active active active inactive" "$(active)"
is "enabled" "enabled enabled enabled enabled disabled" "$(enabled)"
is "musterd answers, and is not activated" 3 "$(answers)"

# a host that is activated and counts, and a machine that is activated by it
product=5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e02
lease=/var/lib/muster/agent/leases/$product.lease
publish
is "catalogue" 0 "$(muster catalogue install acme.muster --trust "$(cat publisher-id)" >/dev/null; echo $?)"
is "host key" 0 "$(muster host install-key --file host-key >/dev/null; echo $?)"
is "host activated" 0 "$(until_done muster host activate --online --ca authority-ca.pem; echo $?)"
for i in 1 2 3 4; do is "machine $i, below the threshold" 3 "$(machine "$i")"; done
is "machine 5" 0 "$(machine 5)"
mkdir -p /usr/share/muster/products /usr/share/muster/catalogues
cp acme.key /usr/share/muster/products/
cp acme.muster /usr/share/muster/catalogues/
muster set-host kms1.corp.example
is "this machine" 0 "$(until_done muster activate; echo $?)"
is "inventory" 6 "$(clients | tail -n +2 | wc -l)"
was=$(pid musterd)
is "reload" "" "$(systemctl reload musterd 2>&1)"
is "musterd after a reload" "$was" "$(pid musterd)"
systemctl stop muster-agent.socket muster-agent
systemctl start muster-agent
is "the agent's socket comes with it" "active active active active inactive" "$(active)"

for unit in musterd muster-agent; do eval "was_$(echo $unit | tr - _)=$(pid $unit)"; done
facts=$(host_facts)
rows=$(clients)
used=$(slots)
held=$(sha256sum <"$lease")
who=$(cmid)
is "schema before" 1 "$(schema)"
apt install /debs/first/*.deb
# shellcheck disable=SC2154
for pair in "musterd $was_musterd" "muster-agent $was_muster_agent"; do
	unit=${pair% *}
	is "$unit was restarted" yes "$([ "$(pid "$unit")" != "${pair#* }" ] && echo yes)"
	is "$unit is the new one" installed "$(program "$unit")"
	is "$unit restarted itself" 0 "$(systemctl show -p NRestarts --value "$unit")"
done
is "active" "active active active active inactive" "$(active)"
is "enabled" "enabled enabled enabled enabled disabled" "$(enabled)"
is "musterd answers, and is activated" 0 "$(answers)"
is "failed" "" "$(failed)"
is "schema" 4 "$(schema)"
is "slot, certificate, identity, count, capacity" "$facts" "$(host_facts)"
is "inventory, each row" "$rows" "$(clients)"
is "lease" "$held" "$(sha256sum <"$lease")"
is "this machine is activated" 0 "$(muster status >/dev/null; echo $?)"
is "it renews" 0 "$(until_done muster activate; echo $?)"
is "by a new lease" yes "$([ "$held" != "$(sha256sum <"$lease")" ] && echo yes)"
is "under its CMID" "$who" "$(cmid)"
is "machine 5 renews" 0 "$(machine 5)"
is "nobody is counted twice" "$facts" "$(host_facts)"
is "nor taken for one more client" 0 "$(until_done all_ask 6; echo $?)"
is "nor listed" 6 "$(clients | tail -n +2 | wc -l)"
is "clones" 0 "$(muster host clients --duplicates --csv | tail -n +2 | wc -l)"
is "the authority was asked for nothing" "$used" "$(slots)"

# events are in the journal with their fields
journal() { # UNIT MATCH FIELD: of the newest
	journalctl -u "$1" -o json -n 1 "$2" | sed -n "s/.*\"$3\":\"\([^\"]*\)\".*/\1/p"
}
is "musterd's port in the journal" 1688 "$(journal musterd MUSTER_EVENT=listening MUSTER_PORT)"
is "the agent's socket in the journal" /run/muster/agent.sock "$(journal muster-agent MUSTER_EVENT=listening MUSTER_FILE)"
is "level of a note in the journal" 6 "$(journal musterd MUSTER_EVENT=listening PRIORITY)"

# one that its administrator has stopped and disabled stays so
systemctl disable --quiet --now muster-agent.socket muster-agent
apt install --reinstall /debs/first/*.deb
is "active" "active active inactive inactive inactive" "$(active)"
is "enabled" "enabled enabled disabled disabled disabled" "$(enabled)"
systemctl enable --quiet --now muster-agent.socket muster-agent

had=$(state)
rows=$(clients)
kill "$!" # the authority, whose package goes as well
# shellcheck disable=SC2086
apt remove $all
is "processes" "" "$(processes)"
is "sockets" "" "$(find /run/muster -type s)"
is "failed" "" "$(failed)"
is "state" "$had" "$(state)"
apt install /debs/first/*.deb
is "active" "active active active active inactive" "$(active)"
is "state" "$had" "$(state)"
is "slot, certificate, identity, count, capacity" "$facts" "$(host_facts)"
is "inventory, each row" "$rows" "$(clients)"
rm -r /usr/share/muster/products /usr/share/muster/catalogues # as a product's package
# shellcheck disable=SC2086
apt purge $all
is "processes" "" "$(processes)"
is "failed" "" "$(failed)"
is "units" "" "$(systemctl list-unit-files --plain --no-legend 'muster*')"
is "what a purge leaves" "" "$(find /etc /usr /var/lib -xdev -path /var/lib/apt -prune -o -name '*muster*' -print)"
echo "life: $n checks, $bad failed"
[ "$bad" -eq 0 ] && [ "$n" -gt 55 ]
