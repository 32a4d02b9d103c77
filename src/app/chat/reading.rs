//! Reads a bot's updates, one process at a time, and carries commands out.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use metrics::counter;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    Chat, Confirmable, Converse, Reply, Said, actor,
    chat::{self, Arrived, Holder, Open},
    code,
};
use crate::{
    app::{App, AppError},
    domain::{backoff::Backoff, foreign::printable},
    failpoint,
    notify::{BotError, Update, Written},
    service::{Loop, Service},
    telemetry::metric,
};

/// Pause of a process that another one reads for.
const ASIDE: Duration = Duration::from_secs(2);
/// Pauses after failures.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// Longest time to carry a command out.
const PATIENCE: Duration = Duration::from_secs(60);
/// A long command that was begun may still be carried out by the process that took it, which only lost the lock: this
/// long after it was taken, it is not.
const UNDER_WAY_MAX: TimeDelta = TimeDelta::seconds(75);
/// How long a running command has after the stop.
const GRACE: Duration = Duration::from_secs(3);
/// A command that was written longer ago, in seconds, is not carried out: its author may have done otherwise since.
const OLD: i64 = 600;
/// Longest answer, characters; Telegram takes 4096.
const ANSWER_MAX: usize = 3_500;
/// Strangers that are named in the log.
const NAMED_MAX: usize = 32;

const STALE: &str = "This was written more than ten minutes ago, while nothing of lgi-mm read it. It was not carried out: send it \
                     again if you still want it.";
const DONE: &str = "This was begun by a process that ended, or lost the database, before it could answer. It is not begun again: /job N \
                    shows how the job is.";

/// Takes commands until `stop`, if the settings let anybody give them.
pub async fn run(app: Arc<App>, face: impl Converse, stop: CancellationToken) {
    let chat = match Chat::of(&app) {
        Ok(Some(chat)) => chat,
        Ok(None) => return,
        Err(error) => return error!(%error, "no commands are taken from a chat"),
    };
    let desk = Desk {
        app,
        face,
        chat,
        under_way: Mutex::default(),
        unanswered: AtomicBool::new(false),
    };
    let mut reader = Reader {
        desk: Arc::new(desk),
        connection: None,
        bot: None,
        takes: false,
        strangers: BTreeSet::new(),
    };
    Loop::new("commands from a chat")
        .retry(RETRY)
        .abort_after(GRACE)
        .run(&mut reader, &stop)
        .await;
}

/// What carries a command out needs.
struct Desk<F> {
    app: Arc<App>,
    face: F,
    chat: Chat,
    /// Updates whose commands are carried out aside: an outage meanwhile does not end them a second time.
    under_way: Mutex<BTreeSet<i64>>,
    /// A command was left without an answer that was sent, or to another process: the next pass looks at it again.
    unanswered: AtomicBool,
}

/// A command that is carried out aside, until this is dropped.
struct Aside<F> {
    desk: Arc<Desk<F>>,
    update: i64,
    answered: bool,
}

impl<F: Converse> Aside<F> {
    /// What it leaves unanswered is ended by a later pass.
    async fn serve(mut self, taken: Taken) {
        match self.desk.serve(taken).await {
            Ok(()) => self.answered = true,
            Err(error) => warn!(%error, "a command from a chat is not answered yet"),
        }
    }
}

impl<F> Drop for Aside<F> {
    fn drop(&mut self) {
        self.desk.under_way().remove(&self.update);
        if !self.answered {
            self.desk.unanswered.store(true, Ordering::SeqCst);
        }
    }
}

/// A command that was taken.
struct Taken {
    holder: Holder,
    update: i64,
    text: String,
    confirms: Option<Confirmable>,
}

impl<F> Desk<F> {
    fn under_way(&self) -> std::sync::MutexGuard<'_, BTreeSet<i64>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Converse> Desk<F> {
    /// Carries a command out, keeps the answer, and sends it.
    async fn serve(&self, taken: Taken) -> Result<(), PassError> {
        let answered = tokio::time::timeout(PATIENCE, self.answer(&taken)).await;
        let answer = match answered {
            Ok(answer) => answer?,
            Err(_) => "It takes longer than a minute: /job N shows its outcome.".to_owned(),
        };
        failpoint::reach(failpoint::CHAT_DONE);
        self.close(&taken.holder, taken.update, &answer).await
    }

    async fn answer(&self, taken: &Taken) -> Result<String, AppError> {
        let Holder { person, .. } = taken.holder;
        let Some(role) = self.chat.settings.role(person) else {
            return Ok("You may not command this bot any more.".to_owned());
        };
        let (text, confirmed) = match &taken.confirms {
            Some(order) => (order.command.clone(), Some(order.would.clone())),
            None if code::is_one(&taken.text) => {
                return Ok(
                    "No order waits for this code: it was used, is wrong or too old. Give the command again."
                        .to_owned(),
                );
            }
            None => (taken.text.clone(), None),
        };
        let said = Said {
            role,
            actor: actor(person, taken.update),
            text: text.clone(),
            confirmed,
        };
        match self.face.answer(&self.app, said).await {
            Reply::Text(text) => Ok(text),
            Reply::Confirm { would, shown } => {
                let order = Confirmable { command: text, would };
                let code = code::asked(&self.app, taken.holder, &order).await?;
                let lines = [format!("This would {}", order.would)].into_iter().chain(shown);
                let last = format!("To do it, send {code} within {}.", code::CODE_LASTS);
                Ok(lines.chain([last]).collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// Keeps an answer and sends it, unless another process has answered.
    async fn close(&self, to: &Holder, update: i64, answer: &str) -> Result<(), PassError> {
        let answer: String = printable(answer).chars().take(ANSWER_MAX).collect();
        let first = chat::answered(&self.app.pool, to.bot, update, &answer).await;
        if first.map_err(AppError::from)? {
            self.send(to, update, &answer).await?;
        }
        Ok(())
    }

    async fn send(&self, to: &Holder, update: i64, answer: &str) -> Result<(), PassError> {
        match self.chat.bot.say(to.chat, answer).await {
            Ok(()) => {}
            Err(BotError::Never(error)) => warn!(%error, chat = to.chat, "an answer cannot be sent"),
            Err(error) => return Err(error.into()),
        }
        let sent = chat::sent(&self.app.pool, to.bot, update).await;
        Ok(sent.map_err(AppError::from)?)
    }
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Bot(#[from] BotError),
}

struct Reader<F> {
    desk: Arc<Desk<F>>,
    /// Holds the lock once `bot` is known. Not of the pool, so that it lives as long as this.
    connection: Option<PgConnection>,
    bot: Option<i64>,
    /// The bot has answered since.
    takes: bool,
    /// Who wrote without being named by the settings.
    strangers: BTreeSet<i64>,
}

impl<F: Converse> Service for Reader<F> {
    type Error = PassError;

    async fn pass(&mut self) -> Result<Duration, PassError> {
        let bot = match self.bot {
            Some(bot) => bot,
            None => match self.begin().await? {
                Some(bot) => bot,
                None => return Ok(ASIDE),
            },
        };
        if self.desk.unanswered.swap(false, Ordering::SeqCst) {
            self.end_open(bot).await?;
        }
        let connection = self.connection()?;
        let place = chat::place(connection, bot).await.map_err(AppError::from)?;
        let updates = self.desk.chat.bot.updates(place).await?;
        // Not before the bot has answered.
        if !self.takes {
            self.takes = true;
            let receiver = &self.desk.chat.settings.receiver;
            info!(receiver, "taking commands from a chat");
        }
        for update in updates {
            self.take(bot, update).await?;
        }
        Ok(Duration::ZERO)
    }

    /// The lock is lost with the connection, and what was taken is looked at again.
    fn failed(&mut self) {
        self.connection = None;
        self.bot = None;
        self.takes = false;
    }
}

impl<F: Converse> Reader<F> {
    fn connection(&mut self) -> Result<&mut PgConnection, AppError> {
        self.connection
            .as_mut()
            .ok_or_else(|| AppError::Internal("a chat is read without a connection".to_owned()))
    }

    /// Takes the lock, and ends what another process began. `None`: another process reads.
    async fn begin(&mut self) -> Result<Option<i64>, PassError> {
        if self.connection.is_none() {
            let options = self.desk.app.pool.connect_options();
            self.connection = Some(
                PgConnection::connect_with(&options)
                    .await
                    .map_err(AppError::from)?,
            );
        }
        if !chat::lock(self.connection()?).await.map_err(AppError::from)? {
            return Ok(None);
        }
        let bot = self.desk.chat.bot.number().await?;
        self.end_open(bot).await?;
        self.bot = Some(bot);
        Ok(Some(bot))
    }

    /// Ends the commands that were taken and not answered, but for those that are carried out.
    async fn end_open(&mut self, bot: i64) -> Result<(), PassError> {
        let open = chat::open(self.connection()?, bot).await;
        for command in open.map_err(AppError::from)? {
            if !self.desk.under_way().contains(&command.update) {
                self.end(bot, command).await?;
            }
        }
        Ok(())
    }

    /// Ends a command that was taken before: by an earlier process, or before an outage.
    async fn end(&mut self, bot: i64, command: Open) -> Result<(), PassError> {
        let holder = Holder {
            bot,
            chat: command.chat,
            person: command.person,
        };
        if let Some(answer) = &command.answer {
            return self.desk.send(&holder, command.update, answer).await;
        }
        let actor = actor(command.person, command.update);
        let pool = &self.desk.app.pool;
        let acted = chat::has_acted(pool, actor.as_str(), command.taken_at).await;
        if acted.map_err(AppError::from)? {
            let text = command
                .confirms
                .as_ref()
                .map_or(&command.command, |order| &order.command);
            if self.desk.face.takes_long(text) && Utc::now() - command.taken_at < UNDER_WAY_MAX {
                self.desk.unanswered.store(true, Ordering::SeqCst);
                return Ok(());
            }
            return self.desk.close(&holder, command.update, DONE).await;
        }
        if (Utc::now() - command.taken_at).num_seconds() > OLD {
            return self.desk.close(&holder, command.update, STALE).await;
        }
        self.desk
            .serve(Taken {
                holder,
                update: command.update,
                text: command.command,
                confirms: command.confirms,
            })
            .await
    }

    async fn take(&mut self, bot: i64, update: Update) -> Result<(), PassError> {
        let Some(written) = update.written.filter(|written| self.may_command(written)) else {
            counted("ignored");
            chat::skip(self.connection()?, bot, update.id)
                .await
                .map_err(AppError::from)?;
            return Ok(());
        };
        // What the ledger cannot store must not stop the reader.
        let text = printable(written.text.trim()).into_owned();
        let digest = code::is_one(&text).then(|| code::digest(bot, written.person, &text));
        let arrived = Arrived {
            bot,
            update: update.id,
            chat: written.chat,
            person: written.person,
            command: &text,
            code: digest.as_ref(),
        };
        let taken = chat::take(self.connection()?, arrived)
            .await
            .map_err(AppError::from)?;
        let Some(confirms) = taken else { return Ok(()) };
        failpoint::reach(failpoint::CHAT_TAKEN);
        let holder = Holder {
            bot,
            chat: written.chat,
            person: written.person,
        };
        if Utc::now().timestamp().saturating_sub(written.at) > OLD {
            counted("stale");
            return self.desk.close(&holder, update.id, STALE).await;
        }
        counted("taken");
        let command = confirms
            .as_ref()
            .map_or(text.as_str(), |order| order.command.as_str());
        let alone = self.desk.face.takes_long(command);
        let taken = Taken {
            holder,
            update: update.id,
            text,
            confirms,
        };
        if !alone {
            return self.desk.serve(taken).await;
        }
        let desk = self.desk.clone();
        desk.under_way().insert(update.id);
        let aside = Aside {
            desk,
            update: update.id,
            answered: false,
        };
        tokio::spawn(aside.serve(taken));
        Ok(())
    }

    /// Only people whom the settings name, in private or where the receiver writes, and in their own words.
    fn may_command(&mut self, written: &Written) -> bool {
        let chat = &self.desk.chat;
        let here = written.private || chat.bot.own_chat() == Some(written.chat);
        if chat.settings.role(written.person).is_some() {
            return here && !written.forwarded;
        }
        if self.strangers.len() < NAMED_MAX && self.strangers.insert(written.person) {
            info!(
                person = written.person,
                "a person whom notify.chat does not name wrote to the bot; the message is ignored"
            );
        }
        false
    }
}

fn counted(outcome: &'static str) {
    counter!(metric::CHAT_MESSAGES, "outcome" => outcome).increment(1);
}
