#!/usr/bin/env bash
# Builds the book (`docs/`, and the pages of `results/` and `prices/` that its summary names) as HTML in target/book/html, and follows every link in it.
#
# mdBook is taken from the PATH, else built by cargo without what serves and searches: half a minute, in target/book. Where that cannot be done,
# this says "skipped" and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
home=target/book
mkdir -p "$home"
mdbook=$(command -v mdbook || echo "$home/bin/mdbook")
if [ ! -x "$mdbook" ]; then
  # It renders forty pages once: built quickly rather than well.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64 \
    cargo install mdbook --version 0.5.4 --locked --no-default-features --quiet --root "$home" --target-dir "$home/build" ||
    { echo "skipped: mdBook cannot be had here"; exit 0; }
fi

rm -rf "$home/src" "$home/html"
mkdir -p "$home/src"
cp docs/book.toml "$home/"
cp -r docs "$home/src/docs"
# Seen from above `docs`, where all the chapters are below.
sed -e 's#](\([^.)]\)#](docs/\1#' -e 's#](\.\./#](#' docs/SUMMARY.md > "$home/src/SUMMARY.md"
sed -n 's#.*](\.\./\([^)]*\)).*#\1#p' docs/SUMMARY.md | while read -r page; do
  install -D -m 644 "$page" "$home/src/$page"
done
# mdBook calls a folder's README its index.
find "$home/src" -name '*.md' -exec sed -i 's/README\.md\([)#]\)/index.md\1/g' {} +
sed -i 's/index\.md)/README.md)/' "$home/src/SUMMARY.md"
"$mdbook" build "$home"
python3 scripts/check_book.py "$home/html"
