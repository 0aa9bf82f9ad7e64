//! The exec channel against a server that breaks it in every way, in both versions of the protocol: what a run says
//! then, and how it ends. Only an exit code is an outcome; whatever leaves it open is uncertain.

use std::fmt::Write as _;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::apiserver::{ApiServer, Peer, Stage};
use crate::support::live::Live;
use crate::support::snapshot;

/// What happens to an exec.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    ExitCode,
    StatusInPieces,
    InputEchoed,
    OutputAfterTheStatus,
    ProgramNotFound,
    NodeTrouble,
    StatusUnreadable,
    StatusUnknown,
    StatusCut,
    ClosedWithoutStatus,
    ClosedWithReason,
    ResetBeforeTheStatus,
    ResetBeforeTheAnswer,
    Refused,
    Busy,
    Stalled,
}

const FAULTS: &[Fault] = &[
    Fault::None,
    Fault::ExitCode,
    Fault::StatusInPieces,
    Fault::InputEchoed,
    Fault::OutputAfterTheStatus,
    Fault::ProgramNotFound,
    Fault::NodeTrouble,
    Fault::StatusUnreadable,
    Fault::StatusUnknown,
    Fault::StatusCut,
    Fault::ClosedWithoutStatus,
    Fault::ClosedWithReason,
    Fault::ResetBeforeTheStatus,
    Fault::ResetBeforeTheAnswer,
    Fault::Refused,
    Fault::Busy,
    Fault::Stalled,
];

fn success() -> Value {
    json!({ "metadata": {}, "status": "Success" })
}

fn failure(reason: &str, message: &str, causes: &Value) -> Value {
    json!({
        "metadata": {}, "status": "Failure", "reason": reason, "message": message, "details": { "causes": causes },
    })
}

async fn play(fault: Fault, stage: Stage) {
    match fault {
        Fault::ResetBeforeTheAnswer => return stage.reset().await,
        Fault::Refused => return stage.refuse(403, "pods \"tools\" is forbidden: not today").await,
        Fault::Busy => return stage.refuse(503, "the node is not ready").await,
        _ => {}
    }
    let mut peer = stage.accept().await;
    if !matches!(fault, Fault::InputEchoed | Fault::OutputAfterTheStatus) {
        send(&mut peer, 1, b"some output\n").await;
    }
    match fault {
        Fault::ExitCode => {
            let causes = json!([{ "reason": "ExitCode", "message": "3" }]);
            let message = "command terminated with non-zero exit code";
            status(&mut peer, &failure("NonZeroExitCode", message, &causes)).await;
        }
        Fault::StatusInPieces => {
            for piece in success().to_string().as_bytes().chunks(7) {
                send(&mut peer, 3, piece).await;
            }
        }
        Fault::InputEchoed => {
            let input = input(&mut peer).await;
            send(&mut peer, 1, &input).await;
            status(&mut peer, &success()).await;
        }
        Fault::OutputAfterTheStatus => {
            status(&mut peer, &success()).await;
            send(&mut peer, 1, b"some output\n").await;
        }
        Fault::ProgramNotFound => {
            let message = "OCI runtime exec failed: exec: \"cat\": executable file not found in $PATH";
            status(&mut peer, &failure("InternalError", message, &json!([]))).await;
        }
        Fault::NodeTrouble => {
            let message = "error dialing backend: i/o timeout";
            status(&mut peer, &failure("InternalError", message, &json!([]))).await;
        }
        Fault::StatusUnreadable => send(&mut peer, 3, b"exit 0").await,
        Fault::StatusUnknown => status(&mut peer, &json!({ "status": "Perhaps" })).await,
        Fault::StatusCut => send(&mut peer, 3, b"{\"status\":\"Succ").await,
        Fault::ClosedWithReason => {
            let frame = CloseFrame { code: CloseCode::Error, reason: "node is shutting down".into() };
            peer.close(Some(frame)).await.ok();
        }
        Fault::ResetBeforeTheStatus => {
            // What was written has to leave before the reset overtakes it.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            peer.get_ref().set_zero_linger().unwrap();
            return;
        }
        Fault::Stalled => std::future::pending().await,
        Fault::None => status(&mut peer, &success()).await,
        _ => {}
    }
    peer.close(None).await.ok();
    while let Some(Ok(_)) = peer.next().await {}
}

async fn send(peer: &mut Peer, channel: u8, bytes: &[u8]) {
    peer.send(Message::Binary([&[channel][..], bytes].concat().into())).await.ok();
}

async fn status(peer: &mut Peer, status: &Value) {
    send(peer, 3, status.to_string().as_bytes()).await;
}

/// The standard input, of which the step says how long it is.
async fn input(peer: &mut Peer) -> Vec<u8> {
    let mut input = Vec::new();
    while input.len() < "an input".len() {
        match peer.next().await {
            Some(Ok(Message::Binary(message))) if message.first() == Some(&0) => input.extend(&message[1..]),
            Some(Ok(_)) => {}
            _ => break,
        }
    }
    input
}

/// What a run said of an exec, in a line.
fn outcome(live: &Live, version: &'static str, fault: Fault) -> String {
    let server = ApiServer::new(version, move |stage| play(fault, stage));
    live.sandbox.write("kubeconfig", &server.kubeconfig());
    let ran = live.run(
        "connections: { cluster: kubernetes }
steps:
  - { id: x, timeout: 3s, rollback: { none: a trial }, kubectl: { exec: { pod: tools, command: [cat], stdin: an input } } }
",
    );
    let said = match ran.state("x") {
        "succeeded" => format!("{:?}", ran.output("x")["stdout"].as_str().unwrap()),
        _ => ran.end("x")["failure"]["message"].as_str().unwrap().to_owned(),
    };
    format!("exit {}, {}: {said}", ran.exit.unwrap(), ran.state("x"))
}

#[test]
fn every_fault_of_the_channel_has_its_words_and_its_exit_code() {
    let live = Live::new().variable("KUBECONFIG", "kubeconfig");
    let mut table = String::new();
    for fault in FAULTS {
        let [v4, v5] = ["v4", "v5"].map(|version| outcome(&live, version, *fault));
        if v4 == v5 {
            writeln!(table, "{fault:?}\n    {v4}").unwrap();
        } else {
            writeln!(table, "{fault:?}\n    v4: {v4}\n    v5: {v5}").unwrap();
        }
    }
    snapshot::compare("channel__faults", &table);
}
