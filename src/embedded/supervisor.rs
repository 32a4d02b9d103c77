//! Starts the server under a small shell that outlives us and stops the server when the last holder is gone.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use nix::{fcntl::OFlag, sys::stat::Mode, unistd::mkfifo};

use super::{EmbeddedError, Options, PATIENCE, binaries::Binaries, open_holder, place::Place};

/// `$0 "$@"` is the server. The FIFO is standard input, moved at once because background jobs lose theirs.
/// Holders introduce themselves with a line, answered by a file: one that came too late gets no answer. The answer is
/// written by a shell of its own: where it cannot be, as on a full disk, that one ends and not the watcher. End of file
/// means that nobody holds the FIFO any more.
const SUPERVISE: &str = r#"
exec 3<&0 </dev/null
"$0" "$@" 3<&- </dev/null >>server.log 2>&1 &
server=$!
(while read -r token <&3; do (: >"ack.$token") 2>/dev/null; done; kill -INT "$server") &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
[ -n "$REMOVE" ] && cd / && rm -rf "$REMOVE" "$SOCKET_DIR"
exit "$status"
"#;

/// Starts the server and waits until it takes connections. The answer is our hold on it.
pub(super) fn start(place: &Place, binaries: &Binaries, options: &Options) -> Result<File, EmbeddedError> {
    let fifo = place.fifo();
    let at = |path: std::path::PathBuf| move |source| EmbeddedError::Path { path, source };
    let _ = fs::remove_file(&fifo);
    let _ = fs::remove_file(place.log());
    let made = mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).map_err(std::io::Error::from);
    made.and_then(|()| place.give(&fifo)).map_err(at(fifo.clone()))?;
    // Open for both at first: neither end's own open then waits for the other.
    let both = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&fifo);
    let both = both.map_err(at(fifo.clone()))?;
    let holder = open_holder(&fifo).map_err(at(fifo.clone()))?;
    // The shell is given its end rather than the name: if we are killed now, it sees the end of file.
    let reader = File::open(&fifo).map_err(at(fifo))?;
    let mut shell = place.command("/bin/sh");
    shell
        .arg("-c")
        .arg(SUPERVISE)
        .arg(binaries.program("postgres"))
        .arg("-D")
        .arg(place.data());
    shell.arg("-k").arg(&place.socket_dir).args([
        "-c",
        "listen_addresses=",
        "-p",
        "5432",
        "-c",
        "max_connections=300",
    ]);
    if options.remove {
        shell.env("REMOVE", place.root());
        shell.env("SOCKET_DIR", &place.socket_dir);
    }
    if options.fast {
        shell.args([
            "-c",
            "fsync=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "full_page_writes=off",
        ]);
    }
    shell
        .stdin(Stdio::from(reader))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = shell.spawn().map_err(|error| place.spawn_failed("sh", &error))?;
    wait_ready(place, &mut child)?;
    // If the server dies before us, its shell must not stay as a zombie for as long as we run.
    std::thread::spawn(move || child.wait());
    drop(both);
    Ok(holder)
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
        let log = fs::read_to_string(place.log()).unwrap_or_default();
        if log.contains("ready to accept connections") {
            return Ok(());
        }
        let ended = shell.try_wait().ok().flatten().is_some();
        if ended || begun.elapsed() > PATIENCE {
            return Err(place.not_ready());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
