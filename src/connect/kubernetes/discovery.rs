//! Which kinds a server serves, asked group by group when a runbook names one that not every server has.

use serde_json::Value;

use super::cluster::Cluster;
use super::error::ApiError;
use super::resource::Resource;

impl Cluster {
    /// The kind that people call so. Several groups may serve one of this name: the core's is preferred, then the
    /// server's own order, as kubectl has it.
    pub async fn resource(&self, name: &str) -> Result<Resource, ApiError> {
        if let Some(known) = Resource::known(name) {
            return Ok(known);
        }
        let served = self.served().await?;
        served.iter().find(|resource| resource.is_called(name)).cloned().ok_or_else(|| {
            let near =
                crate::diagnostic::nearest(name, served.iter().map(|resource| resource.plural.as_str()));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            ApiError::local(format!("the cluster serves no kind `{name}`{near}"))
        })
    }

    /// Every kind, asked once.
    async fn served(&self) -> Result<&[Resource], ApiError> {
        let served = self.shared.served.get_or_try_init(|| async {
            let mut found = resources("", "v1", &self.read("/api/v1", &[]).await?);
            let groups = self.read("/apis", &[]).await?;
            for version in preferred(&groups) {
                let (group, number) = version.split_once('/').unwrap_or(("", version));
                // One broken extension must not hide all the others.
                if let Ok(list) = self.read(&format!("/apis/{version}"), &[]).await {
                    found.extend(resources(group, number, &list));
                }
            }
            Ok(found)
        });
        served.await.map(Vec::as_slice)
    }
}

fn preferred(groups: &Value) -> impl Iterator<Item = &str> {
    let groups = groups["groups"].as_array().into_iter().flatten();
    groups.filter_map(|group| group["preferredVersion"]["groupVersion"].as_str())
}

fn resources(group: &str, version: &str, list: &Value) -> Vec<Resource> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed = list["resources"].as_array().into_iter().flatten();
    listed
        // `pods/exec` is part of a kind, and no kind.
        .filter(|entry| entry["name"].as_str().is_some_and(|name| !name.contains('/')))
        .map(|entry| Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: text(&entry["name"]),
            kind: text(&entry["kind"]),
            namespaced: entry["namespaced"] == true,
            names: std::iter::once(text(&entry["singularName"]))
                .chain(entry["shortNames"].as_array().into_iter().flatten().map(text))
                .filter(|name| !name.is_empty())
                .collect(),
        })
        .collect()
}
