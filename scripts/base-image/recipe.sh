# shellcheck shell=bash
# The recipe of both base images. Its bytes are part of the digest that decides whether an image
# is up to date, so it holds nothing but what shapes them. Sourced by scripts/ensure-base-image.
#
# Both follow the conventions of rayproject/ray: user `ray` (uid 1000, gid 100) with home
# /home/ray, not root; `python` and `pip` on PATH with site-packages that the user may write;
# the interpreter under /home/ray/anaconda3 (here a link to a virtual environment); `sudo`
# without a password.

SUITE=bookworm # Python 3.11
PACKAGES=python3,python3-venv,ca-certificates,sudo
VENV=/home/ray/venv
IMAGE_PATH=$VENV/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
IMAGE_ENV=(
  "PATH=$IMAGE_PATH"
  HOME=/home/ray
  LANG=C.UTF-8
  LC_ALL=C.UTF-8
  RAY_UID=1000
  RAY_GID=100
)
RECIPE_LABEL=reconciler.base-recipe

# make_debian ROOT: a minimal Debian with Python. The mount namespace, where one can be had, makes
# sure that nothing which debootstrap mounts outlives it, even when it is killed.
make_debian() {
  local isolate=(unshare --mount --propagation private)
  "${isolate[@]}" true 2>/dev/null || isolate=()
  "${isolate[@]}" debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$1" \
    ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
  rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* \
    "$1"/var/log/*.log "$1"/var/log/apt "$1"/usr/share/man "$1"/usr/share/info
  find "$1/usr/share/doc" -type f ! -name copyright -delete
  find "$1/usr/share/locale" -mindepth 1 -delete
  rm -f "$1/etc/hostname" "$1/etc/resolv.conf" # debootstrap copies them from the host
}

# in_root ROOT USER COMMAND...: runs a command inside with none of the host's environment but
# what reaching the package index takes, and that goes no further than the process.
in_root() {
  local root=$1 user=$2 name pass=()
  shift 2
  for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT \
    http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || pass+=("$name=${!name}")
  done
  env -i "${IMAGE_ENV[@]}" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 "${pass[@]}" \
    chroot --userspec="$user" "$root" "$@" </dev/null
}

# add_user ROOT
add_user() {
  in_root "$1" 0:0 useradd --uid 1000 --gid 100 --groups sudo --create-home --shell /bin/bash ray
  echo 'ray ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/ray"
  chmod 440 "$1/etc/sudoers.d/ray"
  in_root "$1" 1000:100 python3 -m venv "$VENV"
  ln -s venv "$1/home/ray/anaconda3"
}

# trust_host_authorities ROOT BUNDLE: lets the image trust what the host trusts, so that pip
# works inside it behind a proxy that signs with its own authority. Only certificates that
# Debian's bundle lacks are added.
trust_host_authorities() {
  split_bundle "$2" "$1/usr/local/share/ca-certificates" "$1/etc/ssl/certs/ca-certificates.crt"
  in_root "$1" 0:0 update-ca-certificates
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$1/etc/pip.conf"
}

# split_bundle BUNDLE DIRECTORY [KNOWN]: one file per certificate of BUNDLE that KNOWN lacks.
split_bundle() {
  mkdir -p "$2"
  awk -v directory="$2" -v bundle="$1" '
    /-----BEGIN CERTIFICATE-----/ { body = ""; inside = 1; next }
    /-----END CERTIFICATE-----/ {
      inside = 0
      if (FILENAME != bundle) known[body] = 1
      else if (!(body in known)) {
        known[body] = 1
        file = sprintf("%s/host-%03d.crt", directory, ++count)
        print "-----BEGIN CERTIFICATE-----" > file
        for (at = 1; at <= length(body); at += 64) print substr(body, at, 64) > file
        print "-----END CERTIFICATE-----" > file
        close(file)
      }
      next
    }
    inside { gsub(/[ \t\r]/, ""); body = body $0 }
  ' ${3:+"$3"} "$1"
}

# install_ray ROOT REQUIREMENTS
install_ray() {
  cp "$2" "$1/tmp/requirements.txt"
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
  in_root "$1" 1000:100 "$VENV/bin/python" -m pip install --quiet --require-hashes \
    --only-binary :all: --requirement /tmp/requirements.txt
  rm -f "$1/tmp/requirements.txt" "$1/etc/resolv.conf"
}

# import_root TAG DIGEST <TAR: one layer whose configuration is exactly this. No build step runs
# in the engine, so there is no history or environment that could keep a proxy or a token.
import_root() {
  local tag=$1 digest=$2 entry changes=()
  for entry in "${IMAGE_ENV[@]}"; do changes+=(--change "ENV $entry"); done
  docker import "${changes[@]}" --change 'USER 1000' --change 'WORKDIR /home/ray' \
    --change 'CMD ["/bin/bash"]' --change "LABEL $RECIPE_LABEL=$digest" \
    --message 'reconciler base image' - "$tag"
}
