//! Commands wrapped so that they end where they should.

/// Fails before it starts the command where `head -c` does not work: the command would take an empty input for the
/// whole one. The last program of a pipeline gives the exit code, so it is the command's own.
const EXACTLY: &str = r#"[ "$(printf ab | head -c 1)" = a ] || { echo 'this needs head -c' >&2; exit 127; }; count=$1; shift; head -c "$count" | "$@""#;

/// The command, reading exactly so many bytes of standard input before it sees the end: for servers that cannot be
/// told where the input ends. Needs `sh` and `head` in the container; exit code 127 also means that they are missing.
///
/// [`with_limit`] belongs inside of it.
pub(super) fn with_length(command: &[String], bytes: u64) -> Vec<String> {
    // The word after the script is what `sh` calls itself in its messages.
    wrapped(&["sh", "-c", EXACTLY, "sh", &bytes.to_string()], command)
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
    fn a_limit_ends_a_command() {
        assert_eq!(run(&with_limit(&words(&["sleep", "30"]), 1), b"").0, Some(124));
        assert_eq!(run(&with_limit(&words(&["sh", "-c", "exit 7"]), 5), b"").0, Some(7));
        let both = with_length(&with_limit(&words(&["sh", "-c", "cat; sleep 30"]), 1), 2);
        assert_eq!(run(&both, b"12"), (Some(124), "12".to_owned()));
    }
}
