//! Every way in which an exec ends, against a server that follows a script.

mod server;

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter, ReadBuf, duplex};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;
use server::{Server, end, exit, forever, read_request, send, stdin};

/// Far beyond what any of them takes, so that it only ends what hangs.
const HANGS: Duration = Duration::from_secs(20);

const QUICK: Patience = Patience {
    ping: Duration::from_millis(50),
    silence: Duration::from_millis(400),
    grace: Duration::from_millis(200),
};

/// What is left of an exec.
struct Ended {
    outcome: Result<ExecOutcome, ExecError>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ended {
    fn lost(&self) -> &str {
        match &self.outcome {
            Ok(ExecOutcome::Lost(why)) => why,
            other => panic!("not lost but {other:?}"),
        }
    }

    fn exit(&self) -> i32 {
        match &self.outcome {
            Ok(ExecOutcome::Exit(code)) => *code,
            other => panic!("no exit code but {other:?}"),
        }
    }
}

fn command() -> Vec<String> {
    ["cat", "a file"].map(str::to_owned).to_vec()
}

async fn run_within(patience: Patience, server: &Server, stdin: Stdin<'_>) -> Ended {
    // What is not flushed stays in there.
    let (mut stdout, mut stderr) = (BufWriter::new(Vec::new()), BufWriter::new(Vec::new()));
    let command = command();
    let request = ExecRequest { namespace: "ns", pod: "p", container: "c", command: &command, private: None };
    let exec = exec_within(patience, &server.client, &request, stdin, &mut stdout, &mut stderr, &|_, _| ());
    let outcome = timeout(HANGS, exec).await.expect("it hangs");
    Ended { outcome, stdout: stdout.into_inner(), stderr: stderr.into_inner() }
}

async fn run(server: &Server, stdin: Stdin<'_>) -> Ended {
    run_within(PATIENCE, server, stdin).await
}

/// Bytes in which every place looks different.
fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test]
async fn the_exit_code_and_both_outputs_arrive() {
    for code in [0, 3, 255] {
        let server = Server::new("v5", async move |mut peer| {
            send(&mut peer, 1, b"").await;
            send(&mut peer, 1, b"out").await;
            send(&mut peer, 2, b"err").await;
            send(&mut peer, 9, b"what a later protocol may add").await;
            send(&mut peer, 255, &[1]).await;
            end(&mut peer, &exit(code)).await;
        });
        let ended = run(&server, Stdin::None).await;
        assert_eq!((ended.exit(), &ended.stdout[..], &ended.stderr[..]), (code, &b"out"[..], &b"err"[..]));
        let expected = "stdout=true&stderr=true&container=c&command=cat&command=a%20file";
        assert_eq!(server.address(), format!("/api/v1/namespaces/ns/pods/p/exec?{expected}"));
        server.finish().await;
    }
}

#[tokio::test]
async fn a_failure_without_an_exit_code_is_none() {
    let message = "container not found (\"c\")";
    let status = serde_json::json!({ "status": "Failure", "reason": "InternalError", "message": message });
    let status = status.to_string();
    let server = Server::new("v5", async move |mut peer| end(&mut peer, &status).await);
    let ended = run(&server, Stdin::None).await;
    let failed = ExecOutcome::Failed { reason: "InternalError".to_owned(), message: message.to_owned() };
    assert_eq!(ended.outcome.unwrap(), failed);
}

#[tokio::test]
async fn long_output_is_complete_and_in_order() {
    let sent = pattern(8 << 20);
    let expected = sent.clone();
    let server = Server::new("v5", async move |mut peer| {
        for chunk in sent.chunks(32 << 10) {
            send(&mut peer, 1, chunk).await;
        }
        end(&mut peer, &exit(0)).await;
    });
    let ended = run(&server, Stdin::None).await;
    assert_eq!(ended.exit(), 0);
    assert!(ended.stdout == expected);
}

/// The server reads nothing while it writes, so a client that reads nothing while it writes waits forever.
#[tokio::test]
async fn a_command_that_echoes_blocks_nobody() {
    let input = pattern(8 << 20);
    let server = Server::new("v5", async move |mut peer| {
        while let Some(chunk) = stdin(&mut peer).await {
            send(&mut peer, 1, &chunk).await;
        }
        end(&mut peer, &exit(0)).await;
    });
    let ended = run(&server, Stdin::Stream(&mut &input[..])).await;
    assert_eq!(ended.exit(), 0);
    assert!(ended.stdout == input);
    assert!(server.address().contains("stdin=true"));
}

#[tokio::test]
async fn a_stream_needs_a_server_that_can_be_told_its_end() {
    let server = Server::new("v4", async move |mut peer| {
        assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))));
    });
    let ended = run(&server, Stdin::Stream(&mut &b"input"[..])).await;
    assert!(matches!(ended.outcome, Err(ExecError::NoHalfClose)));
    server.finish().await;
}

#[tokio::test]
async fn an_input_of_known_length_reaches_every_server() {
    for version in ["v4", "v5"] {
        let input = pattern(1 << 20);
        let expected = input.clone();
        let server = Server::new(version, async move |mut peer| {
            let mut got = Vec::new();
            while got.len() < expected.len() {
                got.extend_from_slice(&stdin(&mut peer).await.unwrap());
            }
            assert!(got == expected);
            if version == "v5" {
                assert_eq!(stdin(&mut peer).await, None);
            }
            end(&mut peer, &exit(3)).await;
        });
        // More than the length is there, and stays there.
        let longer = [&input[..], b"more"].concat();
        let mut rest = &longer[..];
        let ended = run(&server, Stdin::Length(&mut rest, 1 << 20)).await;
        assert_eq!((ended.exit(), rest), (3, &b"more"[..]));
        let address = server.address();
        assert!(address.contains("&command=sh&command=-c&command=%5B%20"), "{address}");
        assert!(address.ends_with("&command=1048576&command=cat&command=a%20file"), "{address}");
        server.finish().await;
    }
}

#[tokio::test]
async fn an_input_that_ends_early_is_an_error() {
    let server = Server::new("v4", async move |_peer| forever().await);
    let ended = run(&server, Stdin::Length(&mut &b"abc"[..], 5)).await;
    let Err(ExecError::Input(error)) = ended.outcome else { panic!("{:?}", ended.outcome) };
    assert_eq!(error.to_string(), "it ended 2 bytes before its length");
}

#[tokio::test]
async fn what_came_before_a_loss_is_kept() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 1, b"before").await;
        // A message that announces more than it has.
        peer.get_mut().write_all(&[0x82, 100, 1, b'x']).await.unwrap();
    });
    let ended = run(&server, Stdin::Stream(&mut tokio::io::repeat(0))).await;
    assert!(ended.lost().starts_with("the connection broke: "), "{}", ended.lost());
    assert_eq!(ended.stdout, b"before");
}

#[tokio::test]
async fn a_close_without_a_status_is_no_success() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 1, b"before").await;
        let frame = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
        peer.close(Some(frame)).await.unwrap();
        forever().await;
    });
    let ended = run(&server, Stdin::None).await;
    assert_eq!(
        (ended.lost(), &ended.stdout[..]),
        ("the server closed the connection: 1000 bye", &b"before"[..])
    );
}

#[tokio::test]
async fn a_status_that_says_nothing_is_no_success() {
    for (status, expected) in [
        ("no JSON", "the server sent an unreadable status: "),
        ("{\"status\":\"Success\"", "the server closed the connection, in the middle of the status"),
        ("{\"status\":\"Perhaps\"}", "the server sent an unknown status `Perhaps`"),
    ] {
        let server = Server::new("v5", async move |mut peer| end(&mut peer, status).await);
        let ended = run(&server, Stdin::None).await;
        assert!(ended.lost().starts_with(expected), "{}", ended.lost());
    }
}

#[tokio::test]
async fn an_http_error_means_that_nothing_ran() {
    for code in [400, 403, 404, 500] {
        let server = Server::refusing(code, "not for you");
        let ended = run(&server, Stdin::None).await;
        let Err(ExecError::Refused(kube::Error::Api(status))) = ended.outcome else {
            panic!("{:?}", ended.outcome)
        };
        assert_eq!((status.code, status.message.as_str()), (code, "not for you"));
    }
}

#[tokio::test]
async fn only_a_request_that_was_sent_may_have_started_something() {
    let server = Server::raw(async move |mut socket| read_request(&mut socket).await);
    let ended = run(&server, Stdin::None).await;
    assert!(ended.lost().starts_with("no proper answer came to the request: "), "{}", ended.lost());

    let server = Server::new("v9", async move |_peer| forever().await);
    let ended = run(&server, Stdin::None).await;
    assert!(ended.lost().contains("Sec-WebSocket-Protocol mismatched"), "{}", ended.lost());

    let mut server = Server::raw(async move |_socket| ());
    server.client = kube::Config::new("http://127.0.0.1:1".parse().unwrap()).try_into().unwrap();
    let ended = run(&server, Stdin::None).await;
    assert!(matches!(ended.outcome, Err(ExecError::Refused(_))), "{:?}", ended.outcome);
}

#[tokio::test]
async fn a_command_may_end_without_reading_its_input() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 3, exit(3).as_bytes()).await;
        forever().await;
    });
    let ended = run_within(QUICK, &server, Stdin::Stream(&mut tokio::io::repeat(7))).await;
    assert_eq!(ended.exit(), 3);
}

/// The socket refuses more input while the status still waits behind output that nobody has taken yet.
#[tokio::test]
async fn a_status_counts_although_the_input_could_not_be_sent() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 1, b"output").await;
        send(&mut peer, 3, exit(3).as_bytes()).await;
    });
    let (mut stdout, mut reader) = duplex(1);
    let (mut zeros, mut stderr) = (tokio::io::repeat(0), tokio::io::sink());
    let command = command();
    let request = ExecRequest { namespace: "ns", pod: "p", container: "c", command: &command, private: None };
    let input = Stdin::Stream(&mut zeros);
    let exec = exec(&server.client, &request, input, &mut stdout, &mut stderr, &|_, _| ());
    let read = async {
        sleep(Duration::from_millis(300)).await;
        let mut output = [0; 6];
        reader.read_exact(&mut output).await.unwrap();
        output
    };
    let (outcome, output) = timeout(HANGS, async { tokio::join!(exec, read) }).await.unwrap();
    assert_eq!((outcome.unwrap(), &output), (ExecOutcome::Exit(3), b"output"));
}

#[tokio::test]
async fn output_that_the_status_overtook_still_counts() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 3, exit(0).as_bytes()).await;
        sleep(Duration::from_millis(50)).await;
        send(&mut peer, 1, b"late").await;
        forever().await;
    });
    let begun = Instant::now();
    let ended = run(&server, Stdin::None).await;
    assert_eq!((ended.exit(), &ended.stdout[..]), (0, &b"late"[..]));
    assert!(begun.elapsed() < PATIENCE.grace * 3);
}

#[tokio::test]
async fn a_server_that_goes_on_after_the_status_is_left() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 3, exit(0).as_bytes()).await;
        while peer.send(Message::Binary(vec![1; 1000].into())).await.is_ok() {}
    });
    let ended = run_within(QUICK, &server, Stdin::None).await;
    assert_eq!(ended.exit(), 0);
    // That its sending fails shows that the connection is dropped.
    timeout(HANGS, server.finish()).await.unwrap();
}

#[tokio::test]
async fn a_silent_server_is_lost() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 1, b"before").await;
        forever().await;
    });
    let ended = run_within(QUICK, &server, Stdin::None).await;
    assert_eq!((ended.lost(), &ended.stdout[..]), ("the server gave no answer for 400ms", &b"before"[..]));
}

#[tokio::test]
async fn a_server_that_answers_pings_is_not_silent() {
    let server = Server::new("v5", async move |mut peer| {
        let mut pings = 0;
        while pings < 20 {
            pings += i32::from(matches!(peer.next().await, Some(Ok(Message::Ping(_)))));
        }
        end(&mut peer, &exit(0)).await;
    });
    let begun = Instant::now();
    assert_eq!(run_within(QUICK, &server, Stdin::None).await.exit(), 0);
    assert!(begun.elapsed() > QUICK.silence);
}

/// Behind input that the command does not take yet, the server does not see the pings.
#[tokio::test]
async fn a_command_that_takes_its_time_to_read_is_not_silent() {
    let input = pattern(1 << 20);
    let server = Server::new("v5", async move |mut peer| {
        sleep(QUICK.silence * 3).await;
        while stdin(&mut peer).await.is_some() {}
        // Now that everything is read, silence counts again.
        peer.next().await.unwrap().unwrap();
        peer.flush().await.unwrap();
        forever().await;
    });
    let begun = Instant::now();
    let ended = run_within(QUICK, &server, Stdin::Stream(&mut &input[..])).await;
    assert_eq!(ended.lost(), "the server gave no answer for 400ms");
    assert!(begun.elapsed() > QUICK.silence * 3);
}

/// Counts what is taken from it.
struct Counted(Arc<AtomicU64>);

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.fetch_add(buffer.remaining() as u64, Ordering::Relaxed);
        let zeros = vec![0; buffer.remaining()];
        buffer.put_slice(&zeros);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn neither_side_runs_ahead_of_the_other() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let server = Server::new("v5", async move |mut peer| {
        let chunk = vec![1; 32 << 10];
        loop {
            send(&mut peer, 1, &chunk).await;
            count.fetch_add(32 << 10, Ordering::Relaxed);
        }
    });
    // Its standard output takes nothing, as nobody reads the other end, and the server reads nothing either.
    let (mut stdout, _unread) = duplex(1);
    let taken = Arc::new(AtomicU64::new(0));
    let mut source = Counted(Arc::clone(&taken));
    let (stdin, mut stderr) = (Stdin::Stream(&mut source), tokio::io::sink());
    let command = command();
    let request = ExecRequest { namespace: "ns", pod: "p", container: "c", command: &command, private: None };
    let exec = exec(&server.client, &request, stdin, &mut stdout, &mut stderr, &|_, _| ());
    assert!(timeout(Duration::from_secs(1), exec).await.is_err());
    for count in [&sent, &taken] {
        // The sockets of this end take up to some MiB, as the system sees fit.
        let bytes = count.load(Ordering::Relaxed);
        assert!(bytes > 0 && bytes < 16 << 20, "{bytes}");
    }
}

#[tokio::test]
async fn dropping_it_drops_the_connection() {
    let server = Server::new("v5", async move |mut peer| while let Some(Ok(_)) = peer.next().await {});
    let mut zeros = tokio::io::repeat(0);
    let exec = run(&server, Stdin::Stream(&mut zeros));
    assert!(timeout(Duration::from_millis(200), exec).await.is_err());
    timeout(HANGS, server.finish()).await.unwrap();
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_an_error() {
    let server = Server::new("v5", async move |mut peer| {
        send(&mut peer, 1, b"output").await;
        forever().await;
    });
    let (mut stdout, closed) = duplex(100);
    drop(closed);
    let mut stderr = tokio::io::sink();
    let command = command();
    let request = ExecRequest { namespace: "ns", pod: "p", container: "c", command: &command, private: None };
    let exec = exec(&server.client, &request, Stdin::None, &mut stdout, &mut stderr, &|_, _| ());
    let outcome = timeout(HANGS, exec).await.unwrap();
    assert!(matches!(outcome, Err(ExecError::Output(_))), "{outcome:?}");
}

#[tokio::test]
async fn progress_is_told_both_ways() {
    let server = Server::new("v5", async move |mut peer| {
        while stdin(&mut peer).await.is_some() {}
        // Asked at once, and not only after half a minute: has everything arrived?
        assert!(matches!(peer.next().await, Some(Ok(Message::Ping(_)))));
        send(&mut peer, 1, b"12345").await;
        send(&mut peer, 2, b"67").await;
        end(&mut peer, &exit(0)).await;
    });
    let told = Mutex::new(Vec::new());
    let mut input = &b"abc"[..];
    let (stdin, mut stdout, mut stderr) = (Stdin::Stream(&mut input), tokio::io::sink(), tokio::io::sink());
    let command = command();
    let request = ExecRequest { namespace: "ns", pod: "p", container: "c", command: &command, private: None };
    let progress = |sent, received| told.lock().unwrap().push((sent, received));
    // Boxed as something that may move between threads, as the engine does.
    let exec = exec(&server.client, &request, stdin, &mut stdout, &mut stderr, &progress).boxed();
    assert_eq!(timeout(HANGS, exec).await.unwrap().unwrap(), ExecOutcome::Exit(0));
    assert_eq!(told.into_inner().unwrap(), [(3, 0), (3, 5), (3, 7)]);
}
