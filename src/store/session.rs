//! Connections that know the keys: whoever has one to Postgres can also seal and open what is stored there.
//!
//! Functions that neither write nor read text take a plain [`PgConnection`], which both of these turn into by themselves.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Transaction};

use super::StoreError;
use super::sealer::Sealer;

/// A connection that goes back to the pool when it is dropped, or one in a transaction.
pub struct Session {
    on: On,
    sealer: Sealer,
}

enum On {
    Pool(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

impl Session {
    pub(super) const fn new(connection: PoolConnection<Postgres>, sealer: Sealer) -> Self {
        Self {
            on: On::Pool(connection),
            sealer,
        }
    }

    /// What seals and opens.
    pub(super) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.on {
            On::Pool(connection) => connection,
            On::Transaction(transaction) => transaction,
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.on {
            On::Pool(connection) => connection,
            On::Transaction(transaction) => transaction,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A running transaction. Rolled back unless it is committed.
#[derive(Debug)]
pub struct Tx(Session);

impl Tx {
    pub(super) const fn new(transaction: Transaction<'static, Postgres>, sealer: Sealer) -> Self {
        Self(Session {
            on: On::Transaction(transaction),
            sealer,
        })
    }

    /// Ends it well.
    ///
    /// # Errors
    /// When Postgres fails; what was written may be there or not.
    pub async fn commit(self) -> Result<(), StoreError> {
        if let On::Transaction(transaction) = self.0.on {
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Ends it as if nothing had been written.
    ///
    /// # Errors
    /// When Postgres fails; nothing is written then either.
    pub async fn rollback(self) -> Result<(), StoreError> {
        if let On::Transaction(transaction) = self.0.on {
            transaction.rollback().await?;
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.0
    }
}
