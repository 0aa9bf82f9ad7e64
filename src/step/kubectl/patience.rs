//! [`patiently`]: asks again while the API server is away, for verbs that wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::connect::kubernetes::ApiError;
use crate::step::kubectl::verb::VerbContext;

/// How long a server may be away while something is waited for: it may be restarted meanwhile.
const AWAY: Duration = Duration::from_mins(2);

/// How often it is asked then.
const AGAIN: Duration = Duration::from_millis(500);

/// The answer to a question, asked again while the server cannot be reached or is too busy.
pub(super) async fn patiently<T, F: Future<Output = Result<T, ApiError>>>(
    cx: &VerbContext<'_>,
    ask: impl Fn() -> F,
) -> Result<T, ApiError> {
    let began = Instant::now();
    loop {
        match ask().await {
            Err(error) if error.transient && began.elapsed() < AWAY => {
                cx.run.events.progress("waiting", None, Some(error.message));
                tokio::time::sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}
