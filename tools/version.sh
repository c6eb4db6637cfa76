#!/bin/sh
# The version of a tarball and of packages that are made of HEAD: that of
# meson.build where its tag, vVERSION, is at HEAD.  Else the time and the name of
# the commit are in it, so that each commit has its own, later ones sort behind
# earlier ones, and the release between what came before it (~) and after (+).
# usage: version.sh
set -eu
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
tag=v$version
if [ "$(git rev-parse -q --verify "refs/tags/$tag^{commit}")" = "$(git rev-parse HEAD)" ]; then
	echo "$version"
	exit
fi
sign='~'
git merge-base --is-ancestor "refs/tags/$tag" HEAD 2>/dev/null && sign=+
echo "$version${sign}git$(TZ=UTC0 git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd HEAD).$(git rev-parse --short=12 HEAD)"
