#!/bin/sh
# Install packages without starting a service: a policy-rc.d of ours for the
# time of the call where there is none, and units that came are disabled.
set -eu
policy=/usr/sbin/policy-rc.d
ours=
units() { ls /etc/systemd/system/*.wants 2>/dev/null | sort -u; }

if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	ours=1
	trap 'rm -f "$policy"' EXIT INT TERM
fi
before=$(units)
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
if command -v systemctl >/dev/null; then
	units | while read -r unit; do
		case "
$before
" in
		*"
$unit
"*) ;;
		*.service | *.socket | *.timer) systemctl disable --quiet "$unit" || echo "install-packages: $unit stays enabled" >&2 ;;
		esac
	done
fi
[ -z "$ours" ] || rm -f "$policy"
trap - EXIT INT TERM
