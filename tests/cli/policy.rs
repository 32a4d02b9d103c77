//! The policy by command, as its owner sees it; no database and no node is needed.

use std::path::Path;

use crate::terminal::{Ran, TOKEN, program};

const WALLET: &str = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F";

fn run(dir: &Path, args: &[&str]) -> Ran {
    let output = program(args)
        .env("LGI_MM_POLICY", dir.join("policy.toml"))
        .env("LGI_MM_POLICY_STATE", dir.join("signed"))
        .current_dir(dir)
        .output();
    let mut ran = Ran::of(&output.expect("our own program runs"));
    for text in [&mut ran.stdout, &mut ran.stderr] {
        *text = text.replace(&dir.display().to_string(), "[dir]");
    }
    ran
}

/// A whole entry for Base.
fn allow<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "policy",
        "allow",
        "--chain",
        "base",
        "--wallet",
        WALLET,
        "--token",
        TOKEN,
        "--quote",
        "native",
        "--max-trade-usd",
        "27.5",
        "--max-hour-usd",
        "110",
        "--max-day-usd",
        "550",
        "--max-gas-usd",
        "4",
        "--native-usd-min",
        "800",
    ];
    args.extend(more);
    args
}

#[test]
fn a_policy_is_written_shown_stopped_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let mut story = String::new();
    let mut tell = |args: &[&str]| {
        let ran = run(dir, args);
        story.push_str(&format!("$ lgi-mm {}\n{}\n", args.join(" "), ran.story()));
        ran
    };
    tell(&["policy", "show"]);
    tell(&allow(&[]));
    tell(&allow(&["--print"]));
    assert!(!dir.join("policy.toml").exists(), "nothing was written yet");
    tell(&allow(&["--yes"]));
    tell(&["policy", "show"]);
    tell(&["--json", "policy", "show"]);
    tell(&["policy", "stop", "--chain", "base", "--wallet", WALLET]);
    tell(&["policy", "stop"]);
    tell(&["policy", "show"]);
    tell(&["policy", "resume"]);
    tell(&[
        "--json", "policy", "resume", "--chain", "base", "--wallet", WALLET,
    ]);
    tell(&["policy", "stop", "--chain", "polygon", "--wallet", WALLET]);
    let text = std::fs::read_to_string(dir.join("policy.toml")).expect("a policy");
    story.push_str(&format!("--- the file\n{text}"));
    insta::assert_snapshot!("policy", story);
}

#[test]
fn what_is_wrong_with_a_policy_is_named_and_the_file_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let file = dir.join("policy.toml");
    for (text, names) in [
        ("stopp = true\n", "stopp"),
        ("[[allow]]\nchain = \"base\"\n", "missing field"),
        ("allow = 7\n", "allow"),
        ("stop = tru", "TOML"),
    ] {
        std::fs::write(&file, text).expect("a file");
        for args in [&["policy", "show"][..], &["policy", "stop"], &allow(&["--yes"])] {
            let ran = run(dir, args);
            assert_eq!(ran.code, 4, "{args:?}: {}", ran.story());
            assert!(
                ran.stderr.contains(names) || ran.stderr.contains("line 1"),
                "{args:?}: {}",
                ran.stderr
            );
        }
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), text);
    }
    std::fs::remove_file(&file).expect("gone");
    for (args, names) in [
        (&["policy", "allow", "--chain", "base", "--yes"][..], "--wallet"),
        (&["policy", "allow", "--yes"], "JOB"),
        (&["policy", "stop", "--wallet", WALLET], "--chain"),
        (&["policy", "allow", "--quote", "doge"], "doge"),
        (
            &["policy", "allow", "--routers", "sushi"],
            "there are pancakeswap-v3, slipstream, aerodrome, v2:NAME",
        ),
    ] {
        let ran = run(dir, args);
        assert!(
            ran.code == 2 && ran.stderr.contains(names),
            "{args:?}: {}",
            ran.story()
        );
    }
    let none = allow(&["--max-day-usd", "0", "--yes"]);
    let none: Vec<&str> = none.iter().copied().filter(|arg| *arg != "550").collect();
    let at = none
        .iter()
        .position(|arg| *arg == "--max-day-usd")
        .expect("the flag");
    let none: Vec<&str> = none
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != at)
        .map(|(_, arg)| *arg)
        .collect();
    let ran = run(dir, &none);
    assert!(
        ran.code == 2 && ran.stderr.contains("--max-day-usd 0"),
        "{}",
        ran.story()
    );
    assert!(!file.exists());
}

#[test]
fn routers_are_named_one_by_one_and_none_is_taken_away_by_naming_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let file = dir.join("policy.toml");
    assert_eq!(run(dir, &allow(&["--yes"])).code, 0);
    let text = std::fs::read_to_string(&file).expect("a policy");
    assert!(!text.contains("routers") && !text.contains("router ="), "{text}");
    let ran = run(dir, &allow(&["--routers", "pancakeswap-v3", "--yes"]));
    assert!(
        ran.code == 0 && ran.stdout.contains("may also use the routers pancakeswap-v3"),
        "{}",
        ran.story()
    );
    for more in [&["--yes"][..], &["--routers", "pancakeswap-v3", "--yes"]] {
        assert_eq!(run(dir, &allow(more)).code, 0);
        let text = std::fs::read_to_string(&file).expect("a policy");
        assert!(text.contains("routers = [\"pancakeswap-v3\"]\n"), "{text}");
        assert!(
            !text.contains("pancake_v3_router"),
            "the built-in address needs no line: {text}"
        );
    }
}

/// A fork's router is in no table: the settings say its address, and the policy shows and keeps it.
#[test]
fn the_router_of_a_fork_of_v2_is_allowed_by_its_name_with_the_address_of_the_settings() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let (file, settings) = (dir.join("policy.toml"), dir.join("lgi-mm.toml"));
    let router = "0x8cFe327CEc66d1C090Dd72bd0FF11d690C33a2Eb";
    let named = allow(&["--routers", "v2:pancake", "--yes"]);
    let ran = run(dir, &named);
    let said = "routers names v2:pancake: give its address in contracts.v2_routers.pancake";
    assert!(ran.code != 0 && ran.stderr.contains(said), "{}", ran.story());
    assert!(!file.exists(), "nothing was written");
    let text = format!(
        "[chains.base.v2_forks.pancake]\nfactory = \"0x02a84c1b3BBD7401a5f7fa98a384EBC70bB5749E\"\n\
         router = \"{router}\"\nfee_bps = 25\n\
         init_code_hash = \"0x57224589c67f3f30a6b0d7a1b54cf3153ab84563bc609ef41dfb34f8b2974d2d\"\n"
    );
    std::fs::write(&settings, text).expect("settings");
    let ran = run(dir, &named);
    assert!(ran.code == 0, "{}", ran.story());
    let ran = run(dir, &["policy", "show"]);
    for said in [
        "may also use the routers v2:pancake".to_owned(),
        format!("v2:pancake router {router}, set by this entry"),
    ] {
        assert!(ran.stdout.contains(&said), "{}", ran.story());
    }
    run(dir, &["--json", "policy", "show"]);
    let text = std::fs::read_to_string(&file).expect("a policy");
    assert!(
        text.contains(&format!("[allow.contracts.v2_routers]\npancake = \"{router}\"")),
        "{text}"
    );
}
