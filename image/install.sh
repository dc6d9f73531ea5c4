#!/bin/sh
# Installs the product into an environment of its own: what the image holds, and what the pods of the tests run.
#
#   image/install.sh PYTHON SOURCE TARGET [PACKAGES]
#
# PACKAGES is a folder with the locked packages as they are installed elsewhere; without it they come from an index and
# are held against their hashes. INSIDE says where the environment will be when it runs, if not in TARGET.
set -eu

python=$1 source=$2 target=$3 packages=${4:-}
inside=${INSIDE:-$target}

"$python" -m venv --without-pip --symlinks "$target"
site=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pip() { "$python" -m pip --python "$target/bin/python" "$@"; }
quiet="-q --disable-pip-version-check --no-cache-dir --root-user-action ignore"

if [ -n "$packages" ]; then
    cp -R "$packages/." "$site/"
else
    # shellcheck disable=SC2086 # the options are words
    pip install $quiet --no-compile --require-hashes --only-binary :all: -r "$source/requirements/run.txt"
fi

wheels=$(mktemp -d)
"$target/bin/python" -m flit_core.wheel --outdir "$wheels" "$source" >/dev/null
# shellcheck disable=SC2086
pip install $quiet --no-compile --no-deps --no-index "$wheels"/*.whl
rm -rf "$wheels" "$site"/flit_core "$site"/flit_core-*.dist-info

# Only the product is started, by an interpreter where it will be.
find "$target/bin" -type f ! -name thv -delete
sed -i "1s|^#!$target/|#!$inside/|" "$target/bin/thv"

# The image is read only: what is not compiled now would be compiled again by every process.
find "$site" -name __pycache__ -type d -prune -exec rm -rf {} +
"$target/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$target" -p "$inside" "$site"
