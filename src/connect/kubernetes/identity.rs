//! Which cluster this is.

use super::cluster::Cluster;
use super::error::ApiError;

/// Which cluster this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// The server's version, such as `v1.33.2`.
    pub version: String,
    /// The UID of the namespace `kube-system`; none where it may not be read.
    pub uid: Option<String>,
}

impl Cluster {
    /// Asks the server which cluster it is.
    pub async fn identity(&self) -> Result<ClusterIdentity, ApiError> {
        let version = self.read("/version", &[]).await?;
        let uid = match self.read("/api/v1/namespaces/kube-system", &[]).await {
            Ok(namespace) => namespace["metadata"]["uid"].as_str().map(str::to_owned),
            Err(error) if matches!(error.code, Some(403 | 404)) => None,
            Err(error) => return Err(error),
        };
        let version = version["gitVersion"].as_str().unwrap_or("an unknown version").to_owned();
        Ok(ClusterIdentity { version, uid })
    }
}
