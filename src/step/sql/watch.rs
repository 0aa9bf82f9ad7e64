//! Watching a statement from a second session: how far it is, and who blocks it.

use std::time::Duration;

use crate::connect::postgres::{self, Session};
use crate::connect::{LentSession, Purpose, SessionKey};
use crate::sql::ProgressView;
use crate::step::context::RunContext;

/// A statement that is done within this time is not watched at all, so quick steps cost no second session.
const PATIENCE: Duration = Duration::from_millis(800);
const INTERVAL: Duration = Duration::from_secs(1);

/// How many sessions must be left to others; below that nothing is watched.
const SPARE: i64 = 3;

/// The SQLSTATE of a server, or a role, that takes no more sessions.
const TOO_MANY: &str = "53300";

/// Watches until it is dropped. When the server has no session to spare, the step goes on unwatched, and says so.
pub(super) async fn watch(connection: &str, backend: i32, view: Option<ProgressView>, cx: &RunContext<'_>) {
    tokio::time::sleep(PATIENCE).await;
    // Boxed: few statements are watched, and every one would carry the size of it otherwise.
    let Some(lent) = Box::pin(side_session(connection, cx)).await else {
        return std::future::pending().await;
    };
    let mut watcher = Watcher { lent: Some(lent), cx };
    loop {
        let Some(lent) = &mut watcher.lent else { return std::future::pending().await };
        if look(&mut lent.session, backend, view, cx).await.is_err() {
            watcher.lent = None;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// A session to watch from, unless the server needs it for others.
async fn side_session(connection: &str, cx: &RunContext<'_>) -> Option<LentSession> {
    let key = SessionKey::of(connection, Purpose::Watching);
    let full = match cx.connections.lend(&key, None, cx.application_name).await {
        Ok(mut lent) => {
            let spare = postgres::headroom(&mut lent.session).await;
            if !spare.is_ok_and(|spare| spare < SPARE) {
                return Some(lent);
            }
            true
        }
        Err(failure) => failure.sqlstate.as_deref() == Some(TOO_MANY),
    };
    if full {
        let message = "the server has hardly a session left: progress and blockers are not watched";
        cx.events.noticed("WARNING", message);
    }
    None
}

async fn look(
    session: &mut Session,
    backend: i32,
    view: Option<ProgressView>,
    cx: &RunContext<'_>,
) -> Result<(), postgres::QueryError> {
    let blockers = postgres::blockers(session, backend).await?;
    if !blockers.is_empty() {
        cx.events.blocked(blockers.iter().map(ToString::to_string).collect());
        return Ok(());
    }
    let Some(view) = view else { return Ok(()) };
    if let Some(progress) = postgres::progress(session, backend, on_server(view)).await? {
        let detail = match (progress.relation, progress.detail) {
            (Some(relation), Some(detail)) => Some(format!("{relation}, {detail}")),
            (relation, detail) => relation.or(detail),
        };
        cx.events.progress(&progress.phase, progress.percent, detail);
    }
    Ok(())
}

/// The view by the connection's own name for it.
fn on_server(view: ProgressView) -> postgres::ProgressView {
    match view {
        ProgressView::Vacuum => postgres::ProgressView::Vacuum,
        ProgressView::Analyze => postgres::ProgressView::Analyze,
        ProgressView::CreateIndex => postgres::ProgressView::CreateIndex,
        ProgressView::Cluster => postgres::ProgressView::Cluster,
        ProgressView::Copy => postgres::ProgressView::Copy,
    }
}

/// Gives the session back when the statement ends and the watch is dropped between two looks.
struct Watcher<'a> {
    lent: Option<LentSession>,
    cx: &'a RunContext<'a>,
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        // A look may be under way; a session with an unread answer would give it to the next look.
        drop(self.lent.take());
        let _ = self.cx;
    }
}
