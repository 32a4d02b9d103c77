//! A face that runs inside a service: the same database, keys and settings, over few connections of its own.

use super::{
    connections::FACE,
    context::{App, open_pool},
    error::AppError,
};
use crate::store::memory::JobMemory;

impl App {
    /// The same installation for a face that runs in this process. It has connections of its own: however much is asked
    /// of the face, trading never waits for one.
    ///
    /// # Errors
    /// [`AppError::Unreachable`].
    pub async fn for_a_face(&self) -> Result<Self, AppError> {
        let pool = open_pool(&self.sessions, FACE.work, &self.url, &self.settings).await?;
        Ok(Self {
            pool,
            url: self.url.clone(),
            server: self.server.clone(),
            settings: self.settings.clone(),
            sessions: self.sessions.clone(),
            shares: FACE,
            live: self.live.clone(),
            memory: JobMemory::default(),
        })
    }
}
