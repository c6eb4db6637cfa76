#!/bin/sh
# Name who ships the packages, where the environment does, in place of the
# address that no mail reaches: DEBFULLNAME and DEBEMAIL, as Debian's own tools
# have them, and HOMEPAGE.
# usage: publisher.sh FOLDER; its control and changelog are changed
set -eu
unset_by='Muster developers <unset@muster.invalid>'
case ${DEBFULLNAME:-}${DEBEMAIL:-}${HOMEPAGE:-} in
*'|'* | *'&'* | *'\'* | *'
'*)
	echo "publisher: a name or an address with | & \\ or a line end" >&2
	exit 1
	;;
esac
if [ -n "${DEBFULLNAME:-}" ] && [ -z "${DEBEMAIL:-}" ]; then
	echo "publisher: DEBFULLNAME needs DEBEMAIL: a maintainer is a name and an address" >&2
	exit 1
fi
grep -q "$unset_by" "$1/control"
grep -q "$unset_by" "$1/changelog"
if [ -n "${DEBEMAIL:-}" ]; then
	sed -i "s|$unset_by|${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>|" "$1/control" "$1/changelog"
fi
if [ -n "${HOMEPAGE:-}" ]; then
	sed -i "s|^Rules-Requires-Root: no$|&\\nHomepage: $HOMEPAGE|" "$1/control"
fi
