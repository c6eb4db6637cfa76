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
state() { find /var/lib/muster -name 'host.db' -o -name leases; }
answers() {
	muster host status >/dev/null 2>&1
	echo $?
}
all=$(for f in /debs/first/*.deb; do dpkg-deb -f "$f" Package; done)

apt install /debs/before/*.deb
is "active" "active active active active inactive" "$(active)"
is "enabled" "enabled enabled enabled enabled disabled" "$(enabled)"
is "musterd answers, and is not activated" 3 "$(answers)"
was=$(pid musterd)
is "reload" "" "$(systemctl reload musterd 2>&1)"
is "musterd after a reload" "$was" "$(pid musterd)"
systemctl stop muster-agent.socket muster-agent
systemctl start muster-agent
is "the agent's socket comes with it" "active active active active inactive" "$(active)"

for unit in musterd muster-agent; do eval "was_$(echo $unit | tr - _)=$(pid $unit)"; done
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
is "musterd answers" 3 "$(answers)"
is "failed" "" "$(failed)"

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
was=$(pid musterd)
# shellcheck disable=SC2086
apt remove $all
is "processes" "" "$(processes)"
is "sockets" "" "$(find /run/muster -type s)"
is "failed" "" "$(failed)"
is "state" "$had" "$(state)"
apt install /debs/first/*.deb
is "active" "active active active active inactive" "$(active)"
is "state" "$had" "$(state)"
# shellcheck disable=SC2086
apt purge $all
is "processes" "" "$(processes)"
is "failed" "" "$(failed)"
is "units" "" "$(systemctl list-unit-files --plain --no-legend 'muster*')"
is "what a purge leaves" "" "$(find /etc /usr /var/lib -xdev -path /var/lib/apt -prune -o -name '*muster*' -print)"
echo "life: $n checks, $bad failed"
[ "$bad" -eq 0 ] && [ "$n" -gt 30 ]
