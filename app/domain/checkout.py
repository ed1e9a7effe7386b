"""The part of a step's program that fills the folder: a checkout with git, of exactly what was asked for."""

from shlex import quote

# What points git at another repository, from wherever the program was started, is forgotten.
OWN_REPOSITORY = "unset $(git rev-parse --local-env-vars 2>/dev/null || :)"

# In a subshell, so that git's settings and our variables do not reach the user's script. Hooks, templates and
# configuration of this machine are out of play. A whole commit hash is asked for directly; an abbreviated one, or a
# server that refuses that, needs all branches: fetched to where no name of theirs can pass for an abbreviated hash.
# A user and password in the URL are git's to ask for: as an argument they would be seen by every user of the machine,
# while the environment of the one command that needs them is this user's alone, and reaches neither the script nor the
# folder. Only the host that the URL names is answered, wherever it may lead git. ssh has no use for a password.
# git's own words are shown, without the user and password that the URL may hold: git leaves the end of some.
CHECKOUT = """\
fail() { say "checkout failed: $*"; exit 1; }
found=(* .[!.]*)
[ ! -e "${found[0]}" ] && [ ! -e "${found[1]}" ] || fail "this folder is not empty; run the program in one that is"
command -v git >/dev/null || fail "there is no git on this machine"
export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS= GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ADVICE=0
decoded() { printf %b "${1//%/\\\\x}"; }
login=
case $repository in *://*) login=${repository#*://} login=${login%%/*} login=${login%"${login##*@}"} ;; esac
plain=$(decoded "$login")
shown=${repository/"$login"/}
user=${login%@} password=
case $user in *:*) password=${user#*:} user=${user%%:*} ;; esac
case $repository in
  ssh://?*@*) repository=ssh://${user:+$user@}${shown#*://} ;;
  *) repository=$shown ;;
esac
host=${shown#*://} host=${shown%%://*}://${host%%/*}
answer='!answer() { [ "$1" != get ] || printf "username=%s\\npassword=%s\\n" "$LOGIN_USER" "$LOGIN_PASSWORD"; }; answer'
helper=credential.helper=
case $login$shown in *@http://* | *@https://*) helper=credential.$host.helper=$answer ;; esac
git() { command git -c core.hooksPath=/dev/null -c protocol.version=2 -c "$helper" "$@"; }
fetch() {
  words=$(
    export LOGIN_USER LOGIN_PASSWORD
    LOGIN_USER=$(decoded "$user") LOGIN_PASSWORD=$(decoded "$password")
    git fetch --quiet --no-tags --no-recurse-submodules "$@" 2>&1 </dev/null
  )
}
userinfo='://[^/ ]*@'
explain() {
  while IFS= read -r line; do
    line=${line//"$login"/} line=${line//"$plain"/}
    while [[ $line =~ $userinfo ]]; do line=${line//"${BASH_REMATCH[0]}"/://}; done
    [ -z "$line" ] || printf '%s\\n' "$line"
  done <<<"$words"
}
format=
[ "${#commit}" -ne 64 ] || format=--object-format=sha256
git -c init.defaultBranch=main init --quiet --template= $format . \\
  || fail "this folder cannot become a git repository"
if [ -n "$commit" ]; then
  say "checking out commit $commit of $shown"
  if [ "${#commit}" -lt 40 ] || ! fetch --depth 1 -- "$repository" "$commit"; then
    fetch -- "$repository" '+refs/heads/*:refs/fetched/heads/*' '+refs/tags/*:refs/fetched/tags/*' \\
      || { explain; fail "the repository cannot be read"; }
  fi
  target=$commit
else
  if [ -n "$branch" ]; then
    say "checking out branch $branch of $shown"
    wanted=refs/heads/$branch missing="the branch $branch cannot be read"
  else
    say "checking out the default branch of $shown"
    wanted=HEAD missing="the default branch cannot be read"
  fi
  fetch --depth 1 -- "$repository" "$wanted" || fetch -- "$repository" "$wanted" || { explain; fail "$missing"; }
  target=FETCH_HEAD
fi
git rev-parse --verify --quiet "$target^{commit}" >/dev/null || fail "the repository has no commit $target"
git -c advice.detachedHead=false checkout --quiet --detach "$target^{commit}" -- \\
  || fail "the commit cannot be checked out"
say "at $(git log -1 --format='%h %s')"
"""


def checkout(repo_url: str, commit: str | None, branch: str | None, allow_file: bool) -> str:
    """The bash text; each value stands in it once, as a quoted literal."""
    protocols = "https:http:ssh:git" + (":file" if allow_file else "")
    assigned = {"repository": repo_url, "commit": commit or "", "branch": branch or ""}
    lines = [f"{name}={quote(value)}" for name, value in assigned.items()]
    return "\n".join(["(", *lines, f"export GIT_ALLOW_PROTOCOL={protocols}", CHECKOUT + ")"])
