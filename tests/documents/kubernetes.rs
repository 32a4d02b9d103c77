//! deploy/kubernetes: one source for the alerts, and what every pod of ours must have.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::pages::{read, root};

fn manifest(name: &str) -> String {
    read(&root().join("deploy/kubernetes").join(name))
}

/// The rules of Compose's Prometheus as a resource of the Prometheus Operator.
fn rules() -> String {
    let mut text = "# Written by UPDATE_DOCS=1 cargo test --test documents kubernetes, from deploy/prometheus/rules/lgi-mm.yml.\n\
                    apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: lgi-mm\n  \
                    labels: {app.kubernetes.io/name: lgi-mm}\nspec:\n"
        .to_owned();
    for line in read(&root().join("deploy/prometheus/rules/lgi-mm.yml")).lines() {
        if line.is_empty() {
            text.push('\n');
        } else {
            text.push_str("  ");
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[test]
fn the_rules_of_kubernetes_are_those_of_compose() {
    let path = root().join("deploy/kubernetes/prometheus-operator/rules.yaml");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, rules()).expect("the rules");
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|text| text == rules()),
        "UPDATE_DOCS=1 cargo test --test documents kubernetes writes it"
    );
}

#[test]
fn every_manifest_is_applied_by_a_kustomization() {
    let mut applied = 0;
    for dir in ["", "keda", "prometheus-operator"] {
        let here = root().join("deploy/kubernetes").join(dir);
        let kustomization = read(&here.join("kustomization.yaml"));
        let (_, resources) = kustomization.split_once("resources:\n").expect("resources");
        let named: BTreeSet<&str> = resources
            .lines()
            .map_while(|line| line.strip_prefix("  - "))
            .collect();
        let files = fs::read_dir(&here).expect("a directory").filter_map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name()?.to_str()?.to_owned();
            (path.is_file() && name != "kustomization.yaml").then_some(name)
        });
        let files: BTreeSet<String> = files.collect();
        assert_eq!(
            files.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            named,
            "{dir}"
        );
        applied += named.len();
    }
    assert!(applied >= 8, "{applied} manifests");
}

/// Secrets, keys and mounts: what is mounted is made by the commands in kustomization.yaml, and the other way round.
#[test]
fn every_secret_that_is_mounted_has_a_command_that_makes_it() {
    let commands: String = ["kustomization.yaml", "keda/kustomization.yaml"]
        .map(manifest)
        .concat();
    let made: BTreeSet<&str> = commands
        .split("create secret generic ")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    let manifests: String = [
        "scheduler.yaml",
        "worker.yaml",
        "cli.yaml",
        "console.yaml",
        "keda/autoscaler.yaml",
    ]
    .map(manifest)
    .concat();
    let mut mounted = BTreeSet::new();
    for begin in [
        "secretName: ",
        "secret:\n                  name: ",
        "secretTargetRef:\n    - parameter: connection\n      name: ",
    ] {
        for rest in manifests.split(begin).skip(1) {
            let name = rest.split([',', '}', '\n', ' ']).next().expect("a name");
            mounted.insert(name);
        }
    }
    assert_eq!(made, mounted);
    for rest in manifests.split("- {key: ").skip(1) {
        let key = rest.split(',').next().expect("a key");
        assert!(
            commands.contains(&format!("--from-file={key}")),
            "no command makes the key {key}"
        );
    }
}

#[test]
fn every_pod_is_restricted_and_may_be_evicted() {
    for name in ["scheduler.yaml", "worker.yaml", "cli.yaml", "console.yaml"] {
        let text = manifest(name);
        let containers = text.matches("image: lgi-mm\n").count();
        for wanted in [
            "allowPrivilegeEscalation: false",
            "readOnlyRootFilesystem: true",
            "capabilities: {drop: [ALL]}",
            "limits: {memory:",
        ] {
            assert_eq!(text.matches(wanted).count(), containers, "{name}: {wanted}");
        }
        for wanted in [
            "runAsNonRoot: true",
            "seccompProfile: {type: RuntimeDefault}",
            "automountServiceAccountToken: false",
        ] {
            assert!(text.contains(wanted), "{name}: {wanted}");
        }
        // The last replica too: a drain must not wait for ever.
        if let Some((_, budget)) = text.split_once("kind: PodDisruptionBudget") {
            assert!(
                budget.contains("maxUnavailable: 1")
                    && budget.contains("unhealthyPodEvictionPolicy: AlwaysAllow"),
                "{name}: {budget}"
            );
        }
    }
    let scheduler = manifest("scheduler.yaml");
    let (init, services) = scheduler.split_once("      containers:\n").expect("containers");
    let (running, _) = services.split_once("      volumes:\n").expect("volumes");
    assert!(
        init.contains("{name: owner, mountPath") && !running.contains("name: owner"),
        "only migrate has the owner's password"
    );
}

/// Where kubectl is there, as a user would render it; elsewhere the files themselves were checked above.
#[test]
fn the_kustomizations_render() {
    if Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_err()
    {
        eprintln!("NOT checked: there is no kubectl");
        return;
    }
    for (dir, kinds) in [
        (
            ".",
            vec![
                "ConfigMap",
                "Deployment",
                "Namespace",
                "NetworkPolicy",
                "PodDisruptionBudget",
            ],
        ),
        ("keda", vec!["ScaledObject", "TriggerAuthentication"]),
        ("prometheus-operator", vec!["PodMonitor", "PrometheusRule"]),
    ] {
        let output = Command::new("kubectl")
            .arg("kustomize")
            .arg(Path::new("deploy/kubernetes").join(dir))
            .current_dir(root())
            .output()
            .expect("kubectl");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{dir}: {said}");
        let rendered = String::from_utf8_lossy(&output.stdout).into_owned();
        let seen: BTreeSet<&str> = rendered
            .lines()
            .filter_map(|line| line.strip_prefix("kind: "))
            .collect();
        assert_eq!(seen, kinds.into_iter().collect(), "{dir}");
    }
}
