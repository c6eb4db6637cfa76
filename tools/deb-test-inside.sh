#!/bin/sh
# shellcheck disable=SC1091,SC2154,SC2086
# Inside the tree of deb-test.sh: nothing of systemd runs here, so users and
# folders come by its tools and the services are started by hand, as the units
# have it.  Ends with one line that counts the checks.
set -u
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
. /debs/deb-inside.sh
check() { # WHAT COMMAND...: it has to succeed
	what=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/check.log 2>&1; then
		echo "ok $what"
	else
		bad=$((bad + 1))
		echo "FAILED $what"
		tail -n 8 /tmp/check.log
	fi
}
as() { # USER COMMAND...
	user=$1
	shift
	setpriv --reuid "$user" --regid "$(id -gn "$user")" --clear-groups "$@"
}
install() {
	apt-get install -y -qq --no-install-recommends "$@" >/tmp/apt.log 2>&1
}
wait_for() { # COMMAND...: within 10 s
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}
# By the socket of its unit, as the service manager does it.
serve() { # PROGRAM USER SOCKET GROUP MODE
	rm -f "/run/muster/$3"
	systemd-socket-activate -l "/run/muster/$3" /usr/bin/setpriv --reuid "$2" --regid "$2" \
	    --clear-groups "/usr/bin/$1" >>"/tmp/$1.log" 2>&1 &
	eval "pid_$(echo "$1" | tr - _)=$!"
	wait_for test -S "/run/muster/$3" || return 1
	chgrp "$4" "/run/muster/$3" && chmod "$5" "/run/muster/$3"
}
start_host() {
	serve musterd musterd host.sock muster 0660 &&
	    wait_for sh -c "muster host status >/dev/null; test \$? -eq 0 -o \$? -eq 3"
}
start_agent() {
	serve muster-agent muster-agent agent.sock root 0666
}
stop() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}
clients() { muster host clients --csv | tail -n +2 | wc -l; }
dead_links() {
	/usr/bin/python3 -c '
import glob, os, re
dead, n = [], 0
for page in glob.glob("/usr/share/doc/*muster*/**/*.md", recursive=True):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", open(page).read()):
        n += 1
        if not os.path.exists(os.path.join(os.path.dirname(page), link)):
            dead.append((page, link))
print(dead or f"none of {n // 50 and 50} or more")'
}
count() { muster host status --json | sed -n 's/.*"count": *\([0-9]*\).*/\1/p' | head -n 1; }
another() { # a second machine, which asks by itself
	mkdir -p /srv/m/etc /srv/m/usr/share/muster/catalogues
	echo 00000000000000000000000000000002 >/srv/m/etc/machine-id
	cp /usr/share/muster/catalogues/acme.muster /srv/m/usr/share/muster/catalogues/
	muster activate --direct --root /srv/m --host 127.0.0.1 --product "$desktop" &&
	    rm -r /srv/m
}

desktop=5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e01
host=/var/lib/muster/host
products='groups = ( { number = 1; name = "Acme systems"; } );
products = ( { id = "'$desktop'"; name = "Acme Desktop"; group = 1;
    class = "desktop"; threshold = 1; line = 0; level = 1; } );'

grep -q localhost /etc/hosts 2>/dev/null || echo "127.0.0.1 localhost" >>/etc/hosts
systemd-machine-id-setup >/dev/null 2>&1
begin=$(date +%s%N)
check "the packages install without network" install /debs/before/*.deb
cp /tmp/apt.log /tmp/apt-first.log
installed=$(date +%s%N)
if [ "$bad" -gt 0 ]; then
	cat /tmp/apt.log
	exit 1
fi
is "dpkg has nothing to say" "" "$(dpkg --audit)"

for user in musterd muster-agent muster-authority; do
	check "user $user has no shell" sh -c "getent passwd $user | grep -q nologin"
	check "user $user is of the system" test "$(id -u $user)" -lt 1000
	is "user $user has its own group alone" "$user" "$(id -nG $user)"
done
check "group muster" getent group muster
rights() {
	stat -c '%U:%G %a' "$1" 2>&1
}
folders() {
	is "/var/lib/muster" "root:root 755" "$(rights /var/lib/muster)"
	is "$host" "musterd:musterd 700" "$(rights $host)"
	is "/var/lib/muster/agent" "muster-agent:muster-agent 755" "$(rights /var/lib/muster/agent)"
	is "/var/lib/muster/authority" "muster-authority:muster-authority 700" \
	    "$(rights /var/lib/muster/authority)"
	is "/var/lib/muster/catalogues" "root:root 755" "$(rights /var/lib/muster/catalogues)"
	is "/run/muster" "root:root 755" "$(rights /run/muster)"
	is "/etc/muster/musterd.conf" "root:root 644" "$(rights /etc/muster/musterd.conf)"
}
folders
check "sysusers again" systemd-sysusers
check "tmpfiles again" sh -c 'systemd-tmpfiles --create muster.conf musterd.conf muster-agent.conf muster-authority.conf'
folders
for unit in musterd.socket musterd.service muster-agent.socket muster-agent.service \
    muster-authority.service; do
	is "systemd on $unit" "0 " \
	    "$(systemd-analyze verify --man=no /lib/systemd/system/$unit 2>&1; echo "$? ")"
done
is "enabled" "muster-agent.service muster-agent.socket musterd.service musterd.socket" \
    "$(find /etc/systemd/system -name 'muster*' -printf '%f\n' | sort -u | xargs)"

# ---- the publisher, as its user
mkdir -p /root/vault
echo "correct horse battery staple" >/root/vault/passphrase
chmod 600 /root/vault/passphrase
mkdir /srv/acme
chown muster-authority: /srv/acme
authority() { as muster-authority muster-authority "$@" --config /etc/muster/authority.conf; }
cp /root/vault/passphrase /srv/acme/passphrase
chown muster-authority: /srv/acme/passphrase
chmod 600 /srv/acme/passphrase
printf '%s\n' 'dir = "/var/lib/muster/authority";' 'listen = "127.0.0.1:8443";' \
    'tls_cert = "/etc/muster/tls.pem";' 'tls_key = "/etc/muster/tls.key";' >/etc/muster/authority.conf
cp /debs/tls.pem /debs/tls.key /etc/muster/
chown muster-authority: /etc/muster/tls.key
chmod 600 /etc/muster/tls.key
echo "$products" >/srv/acme/products.conf
check "authority: init" authority init --name Acme --root-key /srv/acme/root.key \
    --url https://localhost:8443 --passphrase-file /srv/acme/passphrase --seal-cost interactive
check "authority: prepare" authority catalogue prepare -o /srv/acme/prepared
check "authority: sign" authority catalogue sign --root-key /srv/acme/root.key \
    --prepared /srv/acme/prepared --passphrase-file /srv/acme/passphrase \
    /srv/acme/products.conf -o /srv/acme/acme.muster
check "authority: import" authority catalogue import /srv/acme/acme.muster
authority key issue --level 1 --customer "St Elsewhere" --json |
    sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' >/root/vault/host.key
as muster-authority muster-authority serve --config /etc/muster/authority.conf >/tmp/authority.log 2>&1 &
pid_authority=$!

# ---- the host, as its user; a product's package brings catalogue and key
mkdir -p /usr/share/muster/catalogues /usr/share/muster/products
cp /srv/acme/acme.muster /usr/share/muster/catalogues/
cp /srv/acme/acme.key /usr/share/muster/products/
chmod 644 /usr/share/muster/catalogues/acme.muster /usr/share/muster/products/acme.key
check "musterd starts" start_host
check "the host key goes in" sh -c 'muster host install-key </root/vault/host.key'
check "the host is activated" wait_for muster host activate --online --ca /debs/ca.pem

# ---- a machine, as its user
check "muster-agent starts" start_agent
check "it is told of its host" muster set-host 127.0.0.1
check "a user activates" as nobody muster activate "$desktop"
activated=$(date +%s%N)
echo "the earlier build, services begun by hand, to the first activation: $(((activated - begin) / 1000000)) ms, $(((installed - begin) / 1000000)) ms of it dpkg"
root=$(muster catalogue show /srv/acme/acme.muster --json | sed -n 's/.*"root[a-z_]*": *"\([0-9a-f]\{64\}\)".*/\1/p')
check "musterd remembers the serial" ls $host/*.serial
check "a product in Python is licensed" as nobody python3 -c "
import muster, sys
a = muster.check(muster.Product(id='$desktop', root_keys=['$root'],
    catalogue='/usr/share/muster/catalogues/acme.muster'))
print(a)
sys.exit(not a.is_licensed)"
is "who musterd runs as" "$(id -u musterd)" \
    "$(sed -n 's/^Uid:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid_musterd/status")"

# ---- backup, restore as root, and its owner
check "backup" muster host backup /root/monday
is "the inventory" 1 "$(clients)"
stop "$pid_musterd"
check "restore" muster host restore /root/monday --yes
is "the database is still musterd's" "musterd:musterd 600" "$(rights $host/host.db)"
check "musterd starts again" start_host
is "the inventory" 1 "$(clients)"

schema() { # FILE: its schema
	/usr/bin/python3 -c "
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect('file:$1?mode=ro&immutable=1', uri=True)) as db:
    print(db.execute('PRAGMA user_version').fetchone()[0])"
}
refused() { # DATABASE SCHEMA OWN COMMAND...: it ends, and names both schemas
	db=$1
	was=$2
	own=$3
	shift 3
	"$@" >/tmp/refused.log 2>&1 && return 1
	grep -q "$db.*schema $was, this .* has $own" /tmp/refused.log
}

# ---- upgrade, from a build whose database has an earlier schema
echo "# a change by hand" >>/etc/muster/musterd.conf
keys=$(cat $host/*/identity.key $host/*/certificate | sha256sum)
stop "$pid_musterd"
stop "$pid_muster_agent"
lease=$(cat /var/lib/muster/agent/leases/* | sha256sum)
is "schema before" 1 "$(schema $host/host.db)"
old=$(sha256sum <$host/host.db)
check "the next build installs over it" install /debs/first/*.deb
is "version" "$(ls /debs/first | sed -n 's/^muster-host_\(.*\)_.*/\1/p')" \
    "$(dpkg-query -W -f '${Version}' muster-host)"
folders
is "keys and certificate" "$keys" "$(cat $host/*/identity.key $host/*/certificate | sha256sum)"
is "leases" "$lease" "$(cat /var/lib/muster/agent/leases/* | sha256sum)"
check "the change by hand" grep -q "a change by hand" /etc/muster/musterd.conf
is "links of the pages that lead nowhere" "none of 50 or more" "$(dead_links)"
is "the package leaves the database to musterd" "$old" "$(sha256sum <$host/host.db)"
check "musterd starts" start_host
is "schema" 4 "$(schema $host/host.db)"
is "the copy before it" 1 "$(schema $host/host.db.schema-1)"
is "whose the copy is" "musterd:musterd 600" "$(rights $host/host.db.schema-1)"
check "the host is still activated" muster host status
is "the inventory" 1 "$(clients)"
is "the count" 1 "$(count)"
check "muster-agent starts" start_agent
check "still activated" as nobody muster status "$desktop"
stop "$pid_muster_agent"
check "one more machine" another
is "the inventory" 2 "$(clients)"
is "the count" 2 "$(count)"
stop "$pid_musterd"
stop "$pid_authority"
lease=$(cat /var/lib/muster/agent/leases/* | sha256sum) # it may have renewed

# ---- downgrade: refused by name; the way back is the copy
check "the build before goes over it" install --allow-downgrades /debs/before/*.deb
new=$(sha256sum <$host/host.db)
check "musterd refuses the later schema by name" refused $host/host.db 4 1 as musterd musterd
is "nothing of it has changed" "$new" "$(sha256sum <$host/host.db)"
check "the way back" muster host restore $host/host.db.schema-1 --yes
is "schema" 1 "$(schema $host/host.db)"
check "musterd starts" start_host
check "the host is still activated" muster host status
is "the inventory as of the upgrade" 1 "$(clients)"
stop "$pid_musterd"
check "the later build again" install /debs/first/*.deb
check "musterd starts" start_host
is "schema" 4 "$(schema $host/host.db)"
check "the host is still activated" muster host status
is "the inventory" 1 "$(clients)"
stop "$pid_musterd"
next=/var/lib/muster/authority/authority.db
had=$(schema $next)
set_schema() {
	/usr/bin/python3 -c "
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect('$1', isolation_level=None)) as db:
    db.execute('PRAGMA user_version = $2')"
}
set_schema $next $((had + 1))
check "so does muster-authority" refused authority.db $((had + 1)) "$had" authority key list
set_schema $next "$had"
check "muster-authority goes on" authority key list

# ---- remove, purge
ours=$(dpkg-query -W -f '${Package}\n' | grep -E '^(muster-|libmuster|python3-muster)')
check "remove" apt-get remove -y -qq $ours
is "programs" "" "$(ls /usr/bin /usr/lib/*/libmuster* 2>/dev/null | grep '^muster\|libmuster')"
is "modules" "" "$(ls -A /usr/lib/muster 2>/dev/null)"
is "keys and certificate" "$keys" "$(cat $host/*/identity.key $host/*/certificate | sha256sum)"
is "leases" "$lease" "$(cat /var/lib/muster/agent/leases/* | sha256sum)"
check "settings" test -f /etc/muster/musterd.conf
# what the tree's owner made by hand is the owner's; /run is empty at a start
rm /usr/share/muster/catalogues/acme.muster /usr/share/muster/products/acme.key
rmdir /usr/share/muster/catalogues /usr/share/muster/products
rm -r /etc/muster/authority.conf /etc/muster/tls.* /srv/acme
check "purge" dpkg --purge $ours
is "what a purge leaves" "" "$(find / -xdev \( -path /proc -o -path /debs -o -path /tmp \
    -o -path /run -o -path /var/cache -o -path /var/log -o -path /root \) -prune -o -name '*muster*' -print)"
is "the users stay" "muster-agent muster-authority musterd" \
    "$(getent passwd | sed -n 's/^\(muster[^:]*\):.*/\1/p' | sort | xargs)"
is "dpkg has nothing to say" "" "$(dpkg --audit)"
echo "$n checks, $bad failed"
[ "$bad" -eq 0 ] && [ "$n" -gt 60 ]
