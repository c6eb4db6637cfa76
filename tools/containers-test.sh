#!/bin/sh
# packaging/Containerfile, built and run without a daemon, by buildah: a host and
# an authority that begin with an empty volume, each without a capability; the
# authority serves, the host is activated by it, and then a machine beside them.
# As root.  The base is the least Debian tree of deb-test.sh, without what the slim
# image of the Containerfile leaves out, under its name, for no registry is asked.
# usage: containers-test.sh FOLDER [run]: with slim.tar and first/*.deb
set -eu
top=$(cd "$1" && pwd)
store=$top/images
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
b() { buildah --root "$store" --runroot "$store.run" "$@"; }
gone() {
	b rm --all >/dev/null 2>&1 || true
	rm -rf "$store" "$store.run" "$top/volumes" "$top/tls"
}
if [ "${2:-}" != run ]; then
	trap gone EXIT
	rm -rf "$store" "$store.run"
	mkdir -p "$top/tls"
	for name in ca key; do
		openssl ecparam -name prime256v1 -genkey -noout -out "$top/tls/$name.key"
	done
	openssl req -x509 -new -key "$top/tls/ca.key" -subj "/CN=Test CA" -days 9 -out "$top/tls/ca.pem" \
	    -addext keyUsage=critical,keyCertSign,cRLSign
	openssl req -new -key "$top/tls/key.key" -subj /CN=localhost -out "$top/tls/csr"
	printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n' >"$top/tls/ext"
	openssl x509 -req -in "$top/tls/csr" -CA "$top/tls/ca.pem" -CAkey "$top/tls/ca.key" -CAcreateserial \
	    -days 9 -extfile "$top/tls/ext" -out "$top/tls/chain.pem" 2>/dev/null
	base=$(b from scratch)
	b add --quiet "$base" "$(readlink -f "$top/slim.tar")" / >/dev/null
	b commit --quiet "$base" docker.io/library/debian:bookworm-slim >/dev/null
	b rm "$base" >/dev/null
	for name in host authority; do
		b build --quiet --network host --pull=never -f packaging/Containerfile --target $name \
		    -t muster-$name "$top/first" >"$top/image-$name.log" 2>&1 || {
			tail -n 20 "$top/image-$name.log" >&2
			exit 1
		}
		as=$(b inspect --type image --format '{{.OCIv1.Config.User}}' muster-$name)
		echo "image muster-$name: user $as, $(b inspect --type image --format \
		    '{{.OCIv1.Config.ExposedPorts}} {{.OCIv1.Config.Volumes}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}' muster-$name)"
		case $as in musterd | muster-authority) ;; *) exit 1 ;; esac
	done

	# both in one network that has nothing but lo; whatever runs ends with it
	unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" "$top" run
	exit
fi

# ---- as a container each
ip link set lo up
host=$(b from --pull=never muster-host)
authority=$(b from --pull=never muster-authority)
# a folder of ours is mounted there: of two mounts in one place buildah takes either
b config --volume /var/lib/muster/host- "$host"
b config --volume /var/lib/muster/authority- "$authority"
inside() { # host|authority COMMAND...: as its image's user, with its volume
	name=$1
	shift
	eval "c=\$$name"
	b run --network host --cap-drop all ${user:+--user "$user"} \
	    -v "$top/volumes/$name:/var/lib/muster/$name" ${more:+-v "$more"} "$c" -- "$@"
}
user=
more=
admin() { # COMMAND...: on the host, as root of its container, who needs the group for the socket
	user=root:musterd
	inside host "$@"
	user=
}
until_it() { # WHAT FILE COMMAND...: FILE is shown where it does not come
	what=$1 file=$2 n=0
	shift 2
	until "$@"; do
		n=$((n + 1))
		[ "$n" -lt 100 ] || {
			echo "containers-test: $what did not come" >&2
			tail "$file" >&2
			exit 1
		}
		sleep 0.1
	done
}
root=$(b mount "$host")
vault=$(b mount "$authority")
# two volumes, empty and their users'
rm -rf "$top/volumes"
umask 022
mkdir -p "$top/volumes/host" "$top/volumes/authority" "$top/volumes/vault"
chown --reference="$root/var/lib/muster/host" "$top/volumes/host"
chown --reference="$vault/var/lib/muster/authority" "$top/volumes/authority" "$top/volumes/vault"
product=5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e01
work=$top/volumes/vault
cat >"$work/products.conf" <<'END_OF_PRODUCTS'
groups = ( { number = 1; name = "Acme systems"; } );
products = ( { id = "5b0c1a52-7d7e-4b8e-9a51-0d3f5c7a1e01"; name = "Acme Desktop";
    group = 1; class = "desktop"; threshold = 1; } );
END_OF_PRODUCTS
echo "correct horse battery staple" >"$work/phrase"
chown --reference="$work" "$work/phrase"
chmod 600 "$work/phrase"
d=/var/lib/muster/authority
none='^CapEff:[[:space:]]*0*$'
inside host grep -q "$none" /proc/self/status
inside authority grep -q "$none" /proc/self/status
admin grep -q "$none" /proc/self/status
# what an authority of somebody else is known by
admin test -s /etc/ssl/certs/ca-certificates.crt || {
	echo "containers-test: the host's image has no certificates of authorities" >&2
	exit 1
}
more=$work:/vault
inside authority sh -euc "cd /vault
muster-authority init --dir $d --name Acme --url https://localhost:8443 --root-key root.key \
    --passphrase-file phrase --seal-cost interactive
muster-authority catalogue prepare --dir $d -o prepared
muster-authority catalogue sign --root-key root.key --prepared prepared --passphrase-file phrase products.conf -o acme.muster
muster-authority catalogue import --dir $d acme.muster
muster-authority key issue --dir $d --level 1 --customer 'St Elsewhere' | head -n 1 >host-key"

# what a customer of it mounts or copies into the host's image
install -D -m 0644 "$work/acme.muster" "$root/usr/share/muster/catalogues/acme.muster"
printf 'listen = [ "127.0.0.1" ];\npublish = false;\nstatus_listen = "off";\n' >"$root/etc/muster/musterd.conf"
install -m 0644 "$top/tls/ca.pem" "$root/tmp/ca.pem"
inside host /usr/bin/musterd >"$top/image-host.said" 2>&1 &
tls=$top/volumes/tls
mkdir "$tls"
install -m 0644 "$top/tls/chain.pem" "$tls/chain.pem"
install -m 0600 "$top/tls/key.key" "$tls/key.pem"
chown --reference="$work" "$tls/key.pem"
more=$tls:/etc/muster/tls:ro
inside authority /usr/bin/muster-authority serve --dir $d --tls-cert /etc/muster/tls/chain.pem \
    --tls-key /etc/muster/tls/key.pem >"$top/image-authority.said" 2>&1 &
more=
until_it "the socket of the host" "$top/image-host.said" [ -S "$root/run/muster/host.sock" ]
until_it "the port of the authority" "$top/image-authority.said" \
    grep -q ':20FB 0*:0000 0A' /proc/net/tcp /proc/net/tcp6
admin muster host install-key <"$work/host-key"
admin muster host activate --online --ca /tmp/ca.pem
inside host sh -euc "mkdir -p /tmp/m/etc /tmp/m/usr/share/muster/catalogues
echo 00000000000000000000000000000001 >/tmp/m/etc/machine-id
cp /usr/share/muster/catalogues/acme.muster /tmp/m/usr/share/muster/catalogues/
muster activate --direct --root /tmp/m --host 127.0.0.1 --product $product"
admin muster host status | grep ' activated     yes'
echo "two images built and run without a capability, a host and a machine activated"
