//! load -> decide -> record -> act.
