# The packages of this checkout, from npm's cache; $1 is the checkout.
set -eu
cp "$1/package.json" "$1/package-lock.json" .
npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error
npx --no-install tsc --version
npm ls --depth=0 | head -n 5
