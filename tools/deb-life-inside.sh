#!/bin/sh
# shellcheck disable=SC1091,SC2154
# Inside a machine that deb-guides.sh has booted: the packages before are
# installed, upgraded, removed, installed again and purged, and systemd says
# what has become of their services.  Ends with one line that counts the checks.
set -u
. /debs/deb-inside.sh
active() { systemctl is-active musterd.socket musterd muster-agent.socket muster-agent muster-authority | xargs; }
enabled() { systemctl is-enabled musterd.socket musterd muster-agent.socket muster-agent muster-authority | xargs; }
processes() {
	for exe in /proc/[0-9]*/exe; do readlink "$exe"; done 2>/dev/null | grep muster
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
authority() { # COMMAND...: as its own user
	setpriv --reuid muster-authority --regid muster-authority --clear-groups \
	    muster-authority "$@"
}
slots() { authority key list --json; }
# The authority of `publish` goes on as the machine's service.
serve_authority() {
	kill "$!"
	wait "$!" 2>/dev/null
	cp -R /root/acme/db/. /var/lib/muster/authority/
	chown -R muster-authority: /var/lib/muster/authority
	install -m 644 /root/acme/tls.pem /etc/muster/tls.pem
	install -o muster-authority -m 600 /root/acme/tls.key /etc/muster/tls.key
	printf '%s\n' 'dir = "/var/lib/muster/authority";' 'tls_cert = "/etc/muster/tls.pem";' 'tls_key = "/etc/muster/tls.key";' \
	    >/etc/muster/authority.conf
	systemctl enable --quiet --now muster-authority
}
heard() { # does it answer, by its certificate?
	curl -fsS --cacert /root/authority-ca.pem https://licence.acme.example:8443/healthz
}
authority_schema() { # [2]: what its database has; made so before
	/usr/bin/python3 -c "
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect('/var/lib/muster/authority/authority.db', isolation_level=None)) as db:
    if len(sys.argv) > 1: # schema 2 had one issuing key, which each catalogue had
        db.executescript('BEGIN; ALTER TABLE issuer DROP COLUMN is_published;'
            'ALTER TABLE issuer DROP COLUMN is_dropped; PRAGMA user_version = 2; COMMIT')
    print(db.execute('PRAGMA user_version').fetchone()[0])" "$@"
}
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
lease=/var/lib/muster/agent/leases/$product.lease
publish
serve_authority
is "active" "active active active active active" "$(active)"
is "the authority answers" 0 "$(until_done heard; echo $?)"
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
is "the agent's socket comes with it" "active active active active active" "$(active)"

for unit in musterd muster-agent muster-authority; do eval "was_$(echo $unit | tr - _)=$(pid $unit)"; done
facts=$(host_facts)
rows=$(clients)
used=$(slots)
held=$(sha256sum <"$lease")
who=$(cmid)
is "schema before" 1 "$(schema)"
apt install /debs/first/*.deb
# shellcheck disable=SC2154
for pair in "musterd $was_musterd" "muster-agent $was_muster_agent" "muster-authority $was_muster_authority"; do
	unit=${pair% *}
	is "$unit was restarted" yes "$([ "$(pid "$unit")" != "${pair#* }" ] && echo yes)"
	is "$unit is the new one" installed "$(program "$unit")"
	is "$unit restarted itself" 0 "$(systemctl show -p NRestarts --value "$unit")"
done
is "active" "active active active active active" "$(active)"
is "enabled" "enabled enabled enabled enabled enabled" "$(enabled)"
is "musterd answers, and is activated" 0 "$(answers)"
is "the authority answers" 0 "$(until_done heard; echo $?)"
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
is "its audit log" 0 "$(authority audit verify >/tmp/audit.log; echo $?)"

# a database of the authority's that an earlier version left
systemctl stop muster-authority
is "schema of the authority before" 2 "$(authority_schema 2)"
systemctl start muster-authority
is "the authority answers" 0 "$(until_done heard; echo $?)"
is "schema of the authority" 3 "$(authority_schema)"
is "the copy before it" "muster-authority:muster-authority 600" \
    "$(stat -c '%U:%G %a' /var/lib/muster/authority/authority.db.schema-2)"
is "keys and slots" "$used" "$(slots)"
is "its audit log" 0 "$(authority audit verify >/tmp/audit.log; echo $?)"
is "one more key" 0 "$(authority key issue --level 1 --customer Other >/dev/null; echo $?)"

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
is "active" "active active inactive inactive active" "$(active)"
is "enabled" "enabled enabled disabled disabled enabled" "$(enabled)"
systemctl enable --quiet --now muster-agent.socket muster-agent

had=$(state)
rows=$(clients)
keys=$(slots)
# shellcheck disable=SC2086
apt remove $all
is "processes" "" "$(processes)"
is "sockets" "" "$(find /run/muster -type s)"
is "failed" "" "$(failed)"
is "state" "$had" "$(state)"
apt install /debs/first/*.deb
is "active" "active active active active active" "$(active)"
is "state" "$had" "$(state)"
is "keys of the authority" "$keys" "$(slots)"
is "slot, certificate, identity, count, capacity" "$facts" "$(host_facts)"
is "inventory, each row" "$rows" "$(clients)"
rm -r /usr/share/muster/products /usr/share/muster/catalogues # as a product's package
rm /etc/muster/authority.conf /etc/muster/tls.pem /etc/muster/tls.key # of its owner
# shellcheck disable=SC2086
apt purge $all
is "processes" "" "$(processes)"
is "failed" "" "$(failed)"
is "units" "" "$(systemctl list-unit-files --plain --no-legend 'muster*')"
is "what a purge leaves" "" "$(find /etc /usr /var/lib -xdev -path /var/lib/apt -prune -o -name '*muster*' -print)"
echo "life: $n checks, $bad failed"
[ "$bad" -eq 0 ] && [ "$n" -gt 70 ]
