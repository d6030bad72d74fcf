# A developer's morning: clone, branch, commit, rebase, look, tidy up. $1 is the checkout.
set -eu
git clone --quiet "$1" clone
cd clone
git config user.name Alex && git config user.email alex@example.org
git checkout --quiet -b work
for n in 1 2 3; do date >>NOTES; git add NOTES; git commit --quiet -m "note $n"; done
git rebase --quiet HEAD~2
git log --stat -n 5 | head -n 20
git grep -c function | tail -n 3
git stash list; git diff HEAD~1; git status --short
git archive HEAD | gzip -1 >archive.tar.gz
git gc --quiet --auto
