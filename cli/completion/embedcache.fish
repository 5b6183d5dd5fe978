# Completion of embedcache for fish: commands, options, words of options, files, spaces of a file.

function __embedcache_begins
    test (count (commandline -opc)) -eq 1
end

function __embedcache_explains
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test $words[2] = help
end

function __embedcache_runs
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end

# The file is the first word behind the command that is no option.
function __embedcache_spaces
    set -l words (commandline -opc)
    set -l file (string match -v -- '-*' $words[3..-1])[1]
    test -n "$file"; and embedcache info $file 2>/dev/null | string replace -f -r '^space ' ''
end

@TABLES@
