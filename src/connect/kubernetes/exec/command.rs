//! Commands wrapped so that they end where they should, and so that nobody sees what they must not show.

use super::private::PrivateEnvironment;

/// Fails before it starts the command where `head -c` does not work: the command would take an empty input for the
/// whole one. What the command leaves unread is read all the same: containerd may wait for ever for somebody to take it,
/// and then never tells the exit code.
const EXACTLY: &str = r#"[ "$(printf ab | head -c 1)" = a ] || { echo 'this needs head -c' >&2; exit 127; }; count=$1; shift; head -c "$count" | { "$@"; code=$?; cat >/dev/null; exit $code; }"#;

/// The command, reading exactly so many bytes of standard input before it sees the end: for servers that cannot be
/// told where the input ends. Needs `sh`, `head` and `cat` in the container; exit code 127 also means that they are
/// missing.
///
/// [`with_limit`] belongs inside of it.
pub(super) fn with_length(command: &[String], bytes: u64) -> Vec<String> {
    // The word after the script is what `sh` calls itself in its messages.
    wrapped(&["sh", "-c", EXACTLY, "sh", &bytes.to_string()], command)
}

/// Fails before it starts the command where `dd` does not take exactly what it is told to. The command's input is a pipe
/// with a name, closed only by a block of the size 0: whatever else ends the blocks ends the command first, for a part
/// of an input can do harm that none at all would not. What the command leaves unread is read all the same, as above.
const IN_BLOCKS: &str = r#"[ "$(printf abc | dd bs=3 count=1 iflag=fullblock 2>/dev/null)" = abc ] || { echo 'this needs dd iflag=fullblock' >&2; exit 127; }
folder=$(mktemp -d) && mkfifo "$folder/input" || exit 127
"$@" <"$folder/input" &
exec 3>"$folder/input"
rm -r "$folder"
while read -r size; do
case $size in
0) exec 3>&-; wait $!; exit ;;
*[!0-9]*) break ;;
esac
dd bs="$size" count=1 iflag=fullblock >&3 2>/dev/null || exec 3>/dev/null
done
kill $!
wait $!
exit"#;

/// The command, reading an input whose length nobody knows yet, from blocks that each begin with their size: for servers
/// that cannot be told where the input ends. An input that does not end as it should ends the command instead of
/// looking complete to it. Needs `sh`, `dd`, `mktemp` and `mkfifo` in the container.
///
/// Only the command itself is ended, not what it started: in a container whose first process is PostgreSQL, an orphan
/// that dies by a signal looks to the server like a crash of its own, and it restarts all of its sessions.
pub(super) fn in_blocks(command: &[String]) -> Vec<String> {
    wrapped(&["sh", "-c", IN_BLOCKS, "sh"], command)
}

/// Runs what it reads before it starts the command, as far as that came whole.
const WITH_PRIVATE: &str = r#"private=$(dd bs="$1" count=1 iflag=fullblock 2>/dev/null)
shift
mask=$(umask)
umask 077
eval "$private"
umask "$mask"
[ "$private_is_whole" = yes ] || { echo 'the private environment did not come whole' >&2; exit 127; }
unset mask private private_is_whole
"$@"
exit"#;

/// The command with an environment that nobody sees: the first of its input's bytes are the script that makes it. Needs
/// `sh` and `dd` in the container, and `mktemp` for a password.
///
/// It belongs around all others, so that what is private is removed after a command that had to be ended.
pub(super) fn with_private(command: &[String], environment: &PrivateEnvironment) -> Vec<String> {
    let bytes = environment.script().len().to_string();
    wrapped(&["sh", "-c", WITH_PRIVATE, "sh", &bytes], command)
}

/// The command, ended by the container itself after so many seconds, and killed 10 seconds later: losing the
/// connection does not end it. Needs `timeout` in the container.
///
/// Exit code 124 then means that the time was up, 137 that it had to be killed, and 143 is what busybox says instead
/// of 124. Zero seconds mean no limit.
pub fn with_limit(command: &[String], seconds: u64) -> Vec<String> {
    wrapped(&["timeout", "-k", "10", &seconds.to_string()], command)
}

fn wrapped(before: &[&str], command: &[String]) -> Vec<String> {
    before.iter().map(|word| (*word).to_owned()).chain(command.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Runs a command whose standard input stays open until it has ended.
    fn run(command: &[String], input: &[u8]) -> (Option<i32>, String) {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn a_command_with_a_length_sees_the_end_of_an_input_that_stays_open() {
        assert_eq!(run(&with_length(&words(&["cat"]), 5), b"12345678"), (Some(0), "12345".to_owned()));
        assert_eq!(run(&with_length(&words(&["cat"]), 0), b""), (Some(0), String::new()));
        let script = "cat; echo \"$1|$2\"; exit 3";
        let command = with_length(&words(&["sh", "-c", script, "x", "a b", "$HOME"]), 2);
        assert_eq!(run(&command, b"12"), (Some(3), "12a b|$HOME\n".to_owned()));
        assert_eq!(run(&with_length(&words(&["false"]), 2), b"12").0, Some(1));
    }

    #[test]
    fn without_head_the_command_does_not_start() {
        let command = with_length(&words(&["/bin/echo", "started"]), 5);
        let only_sh = Command::new("/bin/sh").args(&command[1..]).env("PATH", "/nowhere").output().unwrap();
        assert_eq!((only_sh.status.code(), only_sh.stdout.as_slice()), (Some(127), &b""[..]));
    }

    #[test]
    fn a_command_in_blocks_sees_an_end_only_where_there_is_one() {
        let script = "cat; echo '|end'; exit 3";
        let command = in_blocks(&words(&["sh", "-c", script]));
        assert_eq!(run(&command, b"5\n12\n453\n6780\n"), (Some(3), "12\n45678|end\n".to_owned()));
        assert_eq!(run(&command, b"0\n"), (Some(3), "|end\n".to_owned()));
        let (code, output) = run(&command, b"5\n12345cut\n");
        assert!(code != Some(3) && !output.contains("end"), "{code:?} {output}");
        // What reads no more than it wants ends as it likes.
        let early = in_blocks(&words(&["sh", "-c", "exec 0<&-; exit 4"]));
        assert_eq!(run(&early, b"3\nabc0\n").0, Some(4));
    }

    #[test]
    fn an_input_that_breaks_off_is_no_end() {
        let command = in_blocks(&words(&["sh", "-c", "cat; echo '|end'"]));
        let mut child = Command::new(&command[0]);
        let child = child.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"5\n12345").unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && !text.contains("end"), "{text}");
    }

    #[test]
    fn what_is_private_is_there_and_nowhere_else() {
        let variables = [("TOKEN".to_owned(), "it's $HOME\n`x`\n".to_owned())];
        let private = PrivateEnvironment::new(variables, Some("*:*:*:*:p'w\n"));
        let script = r#"printf %s "$TOKEN"; stat -c %a "$PGPASSFILE"; cat "$PGPASSFILE"; cat; echo "$PGPASSFILE"; exit 3"#;
        let command = words(&["sh", "-c", script]);
        let command = with_private(&with_length(&command, 9), &private);
        assert!(!command.join(" ").contains("p'w"), "{command:?}");
        let input = format!("{}the rest\n", private.script());
        let (code, output) = run(&command, input.as_bytes());
        assert_eq!(code, Some(3));
        let (said, file) = output.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(said, "it's $HOME\n`x`\n600\n*:*:*:*:p'w\nthe rest");
        assert!(!std::path::Path::new(file).exists(), "{file}");
        let cut = with_length(&with_private(&words(&["echo", "started"]), &private), 30);
        let (code, output) = run(&cut, &private.script().as_bytes()[..30]);
        assert!(code != Some(0) && output.is_empty(), "{code:?} {output}");
    }

    #[test]
    fn a_limit_ends_a_command() {
        assert_eq!(run(&with_limit(&words(&["sleep", "30"]), 1), b"").0, Some(124));
        assert_eq!(run(&with_limit(&words(&["sh", "-c", "exit 7"]), 5), b"").0, Some(7));
        let both = with_length(&with_limit(&words(&["sh", "-c", "cat; sleep 30"]), 1), 2);
        assert_eq!(run(&both, b"12"), (Some(124), "12".to_owned()));
    }
}
