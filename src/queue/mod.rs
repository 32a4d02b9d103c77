//! apalis only: tasks (ids only), scheduler, worker.
