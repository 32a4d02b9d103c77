//! A screen that is redrawn in place and leaves nothing behind: the terminal's alternate screen, which has no
//! scrollback.

use crossterm::terminal;

use super::{Look, Out};
use crate::app::AppError;

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The alternate screen, until this is dropped.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    pub(super) fn enter() -> Self {
        // If the terminal is gone, the next frame says so.
        let _ = Out::write(ENTER);
        Self(())
    }

    /// Shows a text instead of the last one; lines below the terminal's last one are counted.
    pub fn draw(&self, text: &str) -> Result<(), AppError> {
        let height = terminal::size().map_or(usize::MAX, |(_, rows)| usize::from(rows.max(2)));
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let mut frame = String::from("\x1b[H");
        let shown = if lines.len() < height {
            lines.len()
        } else {
            height.saturating_sub(2)
        };
        for line in lines.iter().take(shown) {
            frame.push_str(&Look::current().cleaned(line));
            // What the last frame had to the right.
            frame.push_str("\x1b[K\r\n");
        }
        if let Some(more) = lines.len().checked_sub(shown).filter(|more| *more > 0) {
            frame.push_str(&format!(".. and {more} more lines\x1b[K"));
        }
        frame.push_str("\x1b[J");
        Out::write(&frame)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _ = Out::write(LEAVE);
    }
}
