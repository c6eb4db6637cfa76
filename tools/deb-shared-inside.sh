#!/bin/sh
# shellcheck disable=SC1091,SC2154
# Inside a machine that deb-guides.sh has booted, with Debian's PostgreSQL: a host
# of the packages before shares its count, the migration is run while it serves,
# it is upgraded, and goes on beside a host of the packages before; one that is
# upgraded before its migration says so.  Ends with one line that counts the
# checks.
set -u
. /debs/deb-inside.sh
tables=/usr/share/muster/postgresql
as_postgres() { (cd / && runuser -u postgres -- "$@"); }
sql() { as_postgres psql -q -At -v ON_ERROR_STOP=1 "$@" muster; }
migrations() { sql -c 'SELECT max(number) FROM muster.migration'; }
count() { # [ROOT]: what the host there counts
	muster host status --root "${1:-/}" --json |
	    sed -n 's/.*"count": *\([0-9]*\).*/\1/p' | head -n 1
}
# all but what each contact changes
inventory() { sql -c 'SELECT cmid, machine, name, first, threshold FROM muster.client ORDER BY 1'; }
settle() { # ROOT, GROUP, PORT: the settings of a host there
	mkdir -p "$1/etc/muster"
	cat >"$1/etc/muster/musterd.conf" <<END
listen = [ "127.0.0.1" ];
port = $3;
publish = false;
status_listen = "off";
store = "postgresql://muster_host@127.0.0.1/muster?passfile=/etc/muster/pgpass";
store_group = "$2";
END
}
told() { journalctl -u musterd --since "$since" -o cat | grep -c "$1"; }

apt install /debs/before/*.deb
as_postgres createuser muster_host
as_postgres createdb muster
sql -c "ALTER ROLE muster_host PASSWORD 'of this test'"
install -o musterd -m 600 /dev/null /etc/muster/pgpass
echo "*:5432:muster:muster_host:of this test" >/etc/muster/pgpass
is "migrations of the packages before" "001-tables.sql 002-host.sql 003-twin.sql" \
    "$(cd $tables && echo *.sql)"
for group in muster early; do
	sql -v group=$group -v role=muster_host -f $tables/001-tables.sql
	sql -v group=$group -f $tables/002-host.sql
	sql -v group=$group -f $tables/003-twin.sql
done
settle "" muster 1688
systemctl restart musterd.socket musterd
publish
id=$(cat /root/publisher-id)
is "catalogue" 0 "$(muster catalogue install acme.muster --trust "$id" >/dev/null; echo $?)"
is "host key" 0 "$(muster host install-key --file host-key >/dev/null; echo $?)"
is "host activated" 0 "$(until_done muster host activate --online --ca authority-ca.pem; echo $?)"
for i in 1 2 3 4; do is "machine $i, below the threshold" 3 "$(machine "$i")"; done
is "machine 5" 0 "$(machine 5)"
is "count" 5 "$(count)"

# ---- the migration of the next packages, as doc/cluster.md has it
was=$(pid musterd)
is "migration before" 3 "$(migrations)"
sed -n 's/^    \(dpkg-deb --fsys\|    tar -xO\|psql -v group=\)/\1/p' /debs/guide/cluster.md >/tmp/lines
is "lines of the page" 3 "$(wc -l </tmp/lines)"
(cd /debs/first && cp muster-host-postgresql_*.deb /srv/)
chown -R postgres: /srv
is "they are run" 0 "$(cd /srv && runuser -u postgres -- sh -e /tmp/lines >/tmp/lines.log 2>&1; echo $?)"
is "machine 6, by the host before, on the next tables" 0 "$(machine 6)"
is "it was not started again" "$was" "$(pid musterd)"
systemctl restart musterd
is "machine 6 renews, by the host before begun on the next tables" 0 "$(machine 6)"
rows=$(inventory)

# ---- the upgrade
mkdir /opt/before
for f in /debs/before/muster-host_*.deb /debs/before/muster-host-postgresql_*.deb; do
	dpkg-deb -x "$f" /opt/before
done
apt install /debs/first/*.deb
is "musterd is the new one" installed "$(program musterd)"
is "failed" "" "$(failed)"
is "migration" 4 "$(migrations)"
is "activated" 0 "$(until_done muster host status; echo $?)"
is "count" 6 "$(count)"
is "inventory, each row" "$rows" "$(inventory)"
is "machine 5 renews" 0 "$(machine 5)"
is "machine 7" 0 "$(machine 7)"
is "count" 7 "$(count)"

# ---- beside it a host of the packages before
old=/root/old
settle $old muster 1689
mkdir -p $old/usr/share/muster/catalogues $old/var/lib/muster/host $old/run/muster
cp acme.muster $old/usr/share/muster/catalogues/
# as root, who may read only a file of root's own
install -m 600 /etc/muster/pgpass /root/pgpass
# shellcheck disable=SC2016
unshare --mount sh -c 'mount --bind /opt/before/usr/bin/musterd /usr/bin/musterd
mount --bind /opt/before/usr/lib/muster /usr/lib/muster
mount --bind /root/pgpass /etc/muster/pgpass
exec musterd --root '$old >/tmp/old.log 2>&1 &
beside=$!
is "host key" 0 "$(until_done muster host install-key --root $old --file host-key; echo $?)"
is "host activated" 0 "$(until_done muster host activate --root $old --online --ca authority-ca.pem; echo $?)"
is "it is the earlier program" earlier \
    "$(cmp -s "/proc/$beside/exe" /opt/before/usr/bin/musterd && echo earlier)"
is "machine 8, by the earlier" 0 "$(machine 8 1689)"
is "machine 9, by the later" 0 "$(machine 9)"
is "machine 7 renews by the earlier" 0 "$(machine 7 1689)"
is "machine 8 renews by the later" 0 "$(machine 8)"
is "count of the earlier" 9 "$(count $old)"
is "count of the later" 9 "$(count)"
is "inventory" 9 "$(muster host clients --csv | tail -n +2 | wc -l)"
is "nobody is two" 0 "$(muster host clients --duplicates --csv | tail -n +2 | wc -l)"
is "groups held" "9 9" "$(sql -c 'SELECT count(*), count(DISTINCT cmid) FROM muster.cache' | tr '|' ' ')"
kill $beside
wait $beside
is "the earlier ends" 0 $?

# ---- upgraded before the migration was run
since=$(date '+%F %T')
settle "" early 1688
systemctl restart musterd
is "it does not start" exit-code "$(systemctl show -p Result --value musterd)"
is "it says which is missing" yes "$([ "$(told 'run the later ones')" -gt 0 ] && echo yes)"
sql -v group=early -f $tables/004-granted.sql
systemctl reset-failed musterd
is "then it starts" 0 "$(systemctl restart musterd; echo $?)"
is "activated, and counts anew" 0 "$(until_done muster host status; echo $?)"
is "count" 0 "$(count)"
echo "shared: $n checks, $bad failed"
[ "$bad" -eq 0 ] && [ "$n" -gt 40 ]
