//! `cp`: files between this machine and a container, beside `kubectl cp`: whole ones under their names, or none.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kubectl::Bench;
use crate::support::kubernetes::pod;

/// A namespace with the pod `tools` and its folder `/data`.
fn bench(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.cluster.pod(&bench.namespace, "tools", "mkdir -p /data; exec sleep 600", &[("app", "tools")]);
    bench
}

/// Runs a shell command in the pod.
fn inside(bench: &Bench, pod: &str, command: &str) -> String {
    bench.cluster.kubectl(&[
        "exec",
        "--namespace",
        &bench.namespace.name,
        pod,
        "--",
        "/bin/sh",
        "-c",
        command,
    ])
}

/// Every byte there is, and some more than fits into one message.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
}

fn here(bench: &Bench, name: &str) -> PathBuf {
    bench.live.sandbox.directory().join(name)
}

/// The names in a folder of this machine.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn download(from: &str, to: &str) -> String {
    format!("  - {{ id: copy, kubectl: {{ cp: {{ from: {{ pod: tools, path: {from} }}, to: {to} }} }} }}\n")
}

fn upload(from: &str, to: &str) -> String {
    format!(
        "  - {{ id: copy, rollback: {{ none: a trial }}, kubectl: {{ cp: {{ from: {from}, \
         to: {{ selector: app=tools, path: {to} }} }} }} }}\n"
    )
}

/// Runs a step that fails, and leaves nothing behind; what it says.
#[track_caller]
fn fails(bench: &Bench, step: &str, messages: &[&str]) {
    let ran = bench.run(step).exits(1);
    let text = ran.said();
    for message in messages {
        assert!(text.contains(message), "{message} is not in\n{text}");
    }
    assert_eq!(ran.end("copy")["failure"]["applied"], "no", "{text}");
    assert_eq!(inside(bench, "tools", "find /data -name '*.part'"), "");
    let left = names(&bench.live.sandbox.directory());
    assert!(!left.iter().any(|name| name.contains(".part")), "{left:?}");
}

#[test]
fn a_file_comes_out_and_goes_in_as_with_kubectl() {
    let bench = bench("cp-both");
    let content = bytes(3_000_001);
    std::fs::write(here(&bench, "in.bin"), &content).unwrap();
    let steps = upload("in.bin", "/data/") + &download("/data/in.bin", "out.bin").replace("copy,", "back,");
    let ran = bench.run(&steps).exits(0);
    assert_eq!(std::fs::read(here(&bench, "out.bin")).unwrap(), content);
    let sha256 = inside(&bench, "tools", "sha256sum < /data/in.bin");
    let sha256 = sha256.split(' ').next().unwrap();
    let files =
        |from: &str, to: &str| json!([{ "from": from, "to": to, "bytes": 3_000_001, "sha256": sha256 }]);
    let local = |name: &str| ran.output(if name == "in.bin" { "copy" } else { "back" })["files"].clone();
    let (sent, came) = (local("in.bin"), local("out.bin"));
    let paths = |files: &Value| (files[0]["from"].clone(), files[0]["to"].clone());
    assert!(paths(&sent).0.as_str().unwrap().ends_with("in.bin"), "{sent}");
    assert_eq!(sent, files(sent[0]["from"].as_str().unwrap(), "/data/in.bin"));
    assert_eq!(came, files("/data/in.bin", came[0]["to"].as_str().unwrap()));
    assert_eq!(
        (&ran.output("copy")["count"], &ran.output("copy")["bytes"], &ran.output("copy")["container"]),
        (&json!(1), &json!(3_000_001), &json!("main"))
    );
    // The same with kubectl ends the same.
    let source = here(&bench, "in.bin").display().to_string();
    bench.kubectl(&["cp", &source, "tools:/data/theirs.bin"]);
    let theirs = here(&bench, "theirs.bin").display().to_string();
    bench.kubectl(&["cp", "tools:/data/theirs.bin", &theirs]);
    assert_eq!(std::fs::read(theirs).unwrap(), content);
    assert_eq!(
        inside(&bench, "tools", "cmp /data/in.bin /data/theirs.bin; ls /data"),
        "in.bin\ntheirs.bin\n"
    );
    let modes = inside(&bench, "tools", "stat -c %a /data/in.bin /data/theirs.bin");
    let (ours, theirs) = modes.trim().split_once('\n').unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn a_wildcard_takes_the_files_that_match_whatever_their_names() {
    let bench = bench("cp-match");
    inside(
        &bench,
        "tools",
        r#"cd /data; for name in 'a b' "it's" '"q"' '$(id)' -x '*' '' ; do printf %s "$name" > "$name.dump"; done
        mkdir old.dump; : > other.txt; : > old.dump/deep.dump"#,
    );
    let ran = bench.run(&download("'/data/*.dump'", "dumps/")).exits(0);
    let all = ["\"q\".dump", "$(id).dump", "*.dump", "-x.dump", "a b.dump", "it's.dump"];
    assert_eq!(names(&here(&bench, "dumps")), all);
    for name in all {
        let content = std::fs::read_to_string(here(&bench, "dumps").join(name)).unwrap();
        assert_eq!(content, name.trim_end_matches(".dump"));
    }
    assert_eq!(ran.output("copy")["count"], 6);
    let warnings = ran.end("copy")["warnings"].to_string();
    assert!(warnings.contains("`/data/old.dump` is no file, and was left out"), "{warnings}");
    // And back, by a wildcard of this machine.
    bench.run(&upload("'dumps/*[bs].dump'", "/data/old.dump/")).exits(0);
    assert_eq!(inside(&bench, "tools", "ls /data/old.dump"), "a b.dump\ndeep.dump\nit's.dump\n");
    let planned = bench.plan(&download("'/data/a*'", "dumps/"));
    assert!(planned.contains("there now: /data/a b.dump, 3 bytes"), "{planned}");
    let planned = bench.plan(&upload("dumps/none", "/data/other.txt"));
    assert!(planned.contains("/data/other.txt is there now, 0 bytes"), "{planned}");
}

#[test]
fn what_is_not_there_is_named_with_what_to_do() {
    let bench = bench("cp-none");
    inside(&bench, "tools", "mkdir -p /data/sub /data/two; : > /data/sub/x; : > /data/two/x; : > /data/one");
    let check = |step: String, messages: &[&str]| fails(&bench, &step, messages);
    let none = "no file in container `main` of pod `tools` matches `/data/*.dump`";
    check(download("'/data/*.dump'", "dumps/"), &[none, "ls -la /data`, and correct the path"]);
    check(download("/data/none", "x"), &["of pod `tools` is called `/data/none`"]);
    check(download("/data/sub", "x"), &["is a folder, and files are copied", "Write `/data/sub/*`"]);
    check(download("'/data/*/x'", "x/"), &["`/data/sub/x` and `/data/two/x` have the same name"]);
    check(download("/data/one", "no/such/x"), &["cannot write"]);
    check(upload("none", "/data/"), &["cannot read", "--files"]);
    check(upload("'none-*'", "/data/"), &["matches `none-*`"]);
    bench.live.sandbox.write("one", "1");
    check(upload("one", "/none/"), &["there is no folder `/none/` in pod `tools`"]);
    check(upload("one", "/none/one"), &["there is no folder `/none` in pod `tools`"]);
    check(upload("one", "/dev/null"), &["`/dev/null` in pod `tools` is no file, and is not replaced"]);
    check(download("/data/one", "x").replace("tools", "none"), &["pods \"none\" not found"]);
    let side = "pod: tools, container: side";
    check(
        download("/data/one", "x").replace("pod: tools", side),
        &["pod `tools` has no container `side`; it has main"],
    );
    let planned = bench.plan(&download("'/data/*.dump'", "dumps/"));
    assert!(planned.contains("as it is now, it would fail: no file in container"), "{planned}");
}

#[test]
fn an_existing_file_stays_as_it_is_unless_it_may_be_replaced() {
    let bench = bench("cp-exists");
    inside(&bench, "tools", "echo there > /data/a; echo there > /data/b");
    bench.live.sandbox.write("a", "here\n");
    fails(&bench, &download("'/data/?'", "./"), &["exists already", "overwrite: true"]);
    assert!(!here(&bench, "b").exists());
    fails(&bench, &upload("a", "/data/"), &["`/data/a` exists already in pod `tools`", "overwrite: true"]);
    assert_eq!(inside(&bench, "tools", "cat /data/a"), "there\n");
    let overwrite = |step: String| step.replace("cp: {", "cp: { overwrite: true,");
    let ran = bench.run(&overwrite(upload("a", "/data/"))).exits(0);
    assert_eq!(inside(&bench, "tools", "cat /data/a; ls /data"), "here\na\nb\n");
    let traced = ran.events("step_traced", "copy").map(|event| event["trace"]["before"].clone());
    assert_eq!(traced.collect::<Vec<_>>(), [json!([{ "path": "/data/a", "bytes": 6 }])]);
    bench.run(&overwrite(download("/data/b", "a"))).exits(0);
    assert_eq!(std::fs::read_to_string(here(&bench, "a")).unwrap(), "there\n");
}

/// A pod in which the programs of `/fake` come first.
fn faked(bench: &Bench, path: &str, fake: &str) {
    let mut spec = pod(&format!(
        "/usr/bin/mkdir -p /data /fake; echo 1 > /data/one; cd /fake; {fake}; exec /usr/bin/sleep 600"
    ));
    spec["containers"][0]["env"] = json!([{ "name": "PATH", "value": path }]);
    let labels = json!({ "app": "tools" });
    let object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "tools", "labels": labels }, "spec": spec,
    });
    bench.cluster.create(&bench.namespace, &object.to_string());
    bench.cluster.wait(&bench.namespace, "condition=Ready", "pod/tools");
    // It is ready before its command has done everything.
    let left = "while [ ! -e /data/one ]; do /usr/bin/sleep 0.1; done; /usr/bin/sleep 0.5";
    inside(bench, "tools", left);
}

#[test]
fn a_file_with_another_checksum_is_not_kept() {
    let bench = Bench::new("cp-sum");
    let sum = "0".repeat(64);
    faked(
        &bench,
        "/fake:/usr/bin:/bin",
        &format!(
            "echo '#!/bin/sh\necho {sum}' > sha256sum; /usr/bin/chmod +x sha256sum; echo exit 1 > openssl; /usr/bin/chmod +x openssl"
        ),
    );
    bench.live.sandbox.write("two", "2");
    let there = format!("its SHA-256 is {sum} there, and 4355a46b19d348dc");
    fails(&bench, &download("/data/one", "one"), &["did not come as it is in pod `tools`", &there]);
    assert!(!here(&bench, "one").exists());
    fails(&bench, &upload("two", "/data/"), &["`/data/two` did not arrive as it is here"]);
    assert_eq!(inside(&bench, "tools", "ls /data"), "one\n");
}

#[test]
fn what_a_container_lacks_is_named_before_anything_is_written() {
    let bench = Bench::new("cp-lacks");
    faked(&bench, "/fake", "for name in sh find cat; do /usr/bin/ln -s /usr/bin/$name $name; done");
    let lacks = "container `main` of pod `tools` has no `sha256sum`";
    fails(&bench, &download("/data/one", "one"), &[lacks, "a sidecar, or a debug container"]);
    bench.live.sandbox.write("two", "2");
    fails(&bench, &upload("two", "/data/"), &["container `main` of pod `tools` has no `chmod`"]);
    inside(&bench, "tools", "/usr/bin/rm /fake/sh");
    let without = bench.run(&download("/data/one", "one")).exits(1);
    assert!(without.said().contains("container `main` of pod `tools` has no `sh`"), "{}", without.said());
}

#[test]
fn a_pod_that_goes_in_the_middle_leaves_no_half_file() {
    let bench = Bench::new("cp-gone");
    bench.cluster.pod(&bench.namespace, "tools", "truncate -s 8G /tmp/large; exec sleep 600", &[]);
    let mut running = bench.live.start(&bench.body(&download("/tmp/large", "large")), &[]);
    running.wait_for("progressed", "copy");
    let part = here(&bench, "large.part");
    assert!(part.exists());
    bench.kubectl(&["delete", "pod", "tools", "--grace-period=0", "--force"]);
    let ran = running.finish().exits(1);
    assert!(ran.said().contains("cannot copy /tmp/large"), "{}", ran.said());
    assert!(!part.exists() && !here(&bench, "large").exists());
}

#[test]
fn a_copy_that_is_stopped_leaves_nothing_on_either_side() {
    let bench = bench("cp-stop");
    let large = std::fs::File::create(here(&bench, "large")).unwrap();
    large.set_len(8 << 30).unwrap();
    let stop = |step: String| {
        let ran = bench.run(&step.replace("id: copy", "id: copy, timeout: 2s")).exits(1);
        assert_eq!(ran.end("copy")["failure"]["stopped_by"], "timeout", "{}", ran.said());
    };
    stop(upload("large", "/data/"));
    inside(&bench, "tools", "truncate -s 8G /data/huge");
    stop(download("/data/huge", "huge"));
    assert!(!here(&bench, "huge").exists() && !here(&bench, "huge.part").exists());
    // The container itself removes what nobody waits for any more.
    for _ in 0..50 {
        if inside(&bench, "tools", "ls /data") == "huge\n" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{}", inside(&bench, "tools", "ls -la /data"));
}

#[test]
fn a_copy_that_cannot_be_meant_is_found_without_a_cluster() {
    let bench = Bench::new("cp-check");
    let check = |cp: &str, message: &str| {
        let step = format!("  - {{ id: copy, rollback: {{ none: a trial }}, kubectl: {{ cp: {cp} }} }}\n");
        let ran = bench.run(&step).exits(2);
        assert!(ran.said().contains(message), "{message} is not in\n{}", ran.said());
    };
    check("{ from: a, to: 'tools:/b' }", "neither side is in a pod");
    check("{ from: { pod: a, path: a }, to: { pod: b, path: b } }", "both sides are in pods");
    check("{ from: { path: /a }, to: b }", "a pod is named, or found by a selector");
    check("{ from: { pod: a, path: '/a/*' }, to: b }", "a wildcard may match several files");
}
