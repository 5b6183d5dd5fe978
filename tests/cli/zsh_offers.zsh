# SPDX-License-Identifier: Apache-2.0
#
# zsh_offers.zsh DIRECTORY LINE...: what zsh offers behind each LINE with the completions of DIRECTORY, in one line. A
# shell is run in a terminal of its own, LINE and the tab key are typed into it, and what its completion adds is
# written down.
zmodload zsh/zpty
directory=$1
shift
offered=$(mktemp)

zpty typed zsh -f -i
zpty -w typed "PS1=; fpath=(${(q)directory} \$fpath); offered=${(q)offered}; autoload -Uz compinit; compinit -u -D"
zpty -w typed '
compadd_and_tell() {
    local -a matches
    if (( ! ${@[(I)-[OAD]]} )); then
        builtin compadd -A matches "$@"
        (( $#matches )) && print -rl -- $matches >>$offered
    fi
    builtin compadd "$@"
}
complete_and_tell() {
    functions[compadd]=$functions[compadd_and_tell]
    _main_complete
    unfunction compadd
    compstate[insert]= compstate[list]=
    print -n "<all is ""offered>"
}
zle -C complete_and_tell complete-word complete_and_tell
bindkey "^I" complete_and_tell
print "<it is ""ready>"'
zpty -r -m typed output '*<it is ready>*' || { print -r -- "the shell ended: $output" >&2; exit 1 }
for line in "$@"; do
    : >$offered
    zpty -w -n typed $'\C-u'"$line"$'\t'
    zpty -r -m typed output '*<all is offered>*' || { print -r -- "the shell ended: $output" >&2; exit 1 }
    print -r -- ${(ou)${(f)"$(<$offered)"}}
done
zpty -d typed
rm $offered
