//! Starts the server under a small shell that outlives us and stops the server when the last holder has ended.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use super::{
    access::{access_file, names_file, write_access},
    binaries::Binaries,
    error::{EmbeddedError, PATIENCE},
    options::Options,
    owned,
    place::{Place, open_holder},
};

/// `$0 "$@"` is the server, and all of this runs as the server's user. The FIFO of the holders is standard input, moved
/// at once because background jobs lose theirs; the log is standard output. Holders introduce themselves with a line,
/// which is sent back through the FIFO of the answers: one that came too late gets no answer. End of file means that
/// no process holds the server any more.
const SUPERVISE: &str = r#"
exec 3<&0 </dev/null
exec 4<>answers || exit 1
if [ -n "$REMOVE" ]; then exec 5>ended || exit 1; fi
"$0" "$@" 3<&- 4>&- 5>&- </dev/null 2>&1 &
server=$!
(while read -r token <&3; do printf '%s\n' "$token" >&4; done 2>/dev/null; kill -INT "$server") 5>&- &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
[ -n "$REMOVE" ] && rm -rf data "$SOCKET_DIR" 2>/dev/null
exit "$status"
"#;

/// Runs as ourselves, when all is to be removed: what the server's user could not, since the directory is not theirs.
/// By then that user has emptied the directories of their own, and what is not empty stays.
const SWEEP: &str = r#"
read -r _
rm -f lock holders answers ended server.log pg_hba.conf pg_ident.conf
[ -d data ] && rmdir data
[ -d "$SOCKET_DIR" ] && rmdir "$SOCKET_DIR"
case $SOCKET_DIR in "$PLACE"/*) ;; *) rmdir "${SOCKET_DIR%/*}" ;; esac
cd / && rmdir "$PLACE"
"#;

/// Starts the server and waits until it takes connections. The answer is our hold on it.
pub(super) fn start(place: &Place, binaries: &Binaries, options: &Options) -> Result<File, EmbeddedError> {
    let at = |path: PathBuf| move |source| EmbeddedError::Path { path, source };
    write_access(place, options.fast)?;
    let log = owned::fresh(&place.log(), 0o600).map_err(at(place.log()))?;
    let errors = log.try_clone().map_err(at(place.log()))?;
    // The shell opens it by name, and may.
    let answers = owned::new_fifo(&place.answers(), place.user()).map_err(at(place.answers()))?;
    // Open for both at first: neither end's own open then waits for the other.
    let both = owned::new_fifo(&place.fifo(), None).map_err(at(place.fifo()))?;
    let holder = open_holder(&place.fifo()).map_err(at(place.fifo()))?;
    // The shell is given its end rather than the name: if we are killed now, it sees the end of file.
    let reader = File::open(place.fifo()).map_err(at(place.fifo()))?;
    let sweeper = if options.remove {
        Some(sweeper(place)?)
    } else {
        None
    };
    let mut shell = place.command("/bin/sh");
    shell
        .arg("-c")
        .arg(SUPERVISE)
        .arg(binaries.program("postgres"))
        .arg("-D")
        .arg(place.data());
    shell.arg("-k").arg(&place.socket_dir);
    for (name, path) in [
        ("hba_file", access_file(place)),
        ("ident_file", names_file(place)),
    ] {
        shell.arg("-c").arg(format!("{name}={}", path.display()));
    }
    for setting in ["listen_addresses=", "port=5432", "max_connections=300"] {
        shell.args(["-c", setting]);
    }
    if options.remove {
        shell.env("REMOVE", "yes").env("SOCKET_DIR", &place.socket_dir);
    }
    if options.fast {
        for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
            shell.args(["-c", setting]);
        }
    }
    shell.stdin(reader).stdout(log).stderr(errors);
    let mut child = shell.spawn().map_err(|error| place.spawn_failed("sh", &error))?;
    wait_ready(place, &mut child)?;
    drop((both, answers));
    // If the server dies before us, its shell must not stay as a zombie for as long as we run.
    std::thread::spawn(move || {
        let _ = child.wait();
        if let Some((mut sweeper, ended)) = sweeper {
            drop(ended);
            let _ = sweeper.wait();
        }
    });
    Ok(holder)
}

/// Waits for the supervisor's end, which closes the FIFO. Our own end of it, which is answered too, keeps it open until
/// the supervisor has opened it.
fn sweeper(place: &Place) -> Result<(Child, File), EmbeddedError> {
    let path = place.ended();
    let at = |source| EmbeddedError::Path {
        path: path.clone(),
        source,
    };
    let ours = owned::new_fifo(&path, place.user()).map_err(at)?;
    let reader = File::open(&path).map_err(at)?;
    let sweeping = place
        .command_of_ours("/bin/sh")
        .arg("-c")
        .arg(SWEEP)
        .env("PLACE", place.root())
        .env("SOCKET_DIR", &place.socket_dir)
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = sweeping.map_err(|error| place.spawn_failed("sh", &error))?;
    Ok((child, ours))
}

/// Whether the log's end says that the server before is still stopping, or that its processes are: it was killed
/// a moment ago.
pub(super) fn predecessor_lingers(tail: &str) -> bool {
    ["already exists", "still in use"]
        .iter()
        .any(|sign| tail.contains(sign))
}

fn wait_ready(place: &Place, shell: &mut Child) -> Result<(), EmbeddedError> {
    let begun = Instant::now();
    loop {
        if place.log_tail().contains("ready to accept connections") {
            return Ok(());
        }
        let ended = shell.try_wait().ok().flatten().is_some();
        if ended || begun.elapsed() > PATIENCE {
            return Err(place.not_ready());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
