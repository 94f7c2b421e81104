//! groove itself.

use std::path::Path;

use groove::{Forest, Options, Snapshot};

use super::{CACHE_SIZE, Change, Engine, Reader};
use crate::Result;
use crate::workload::Transfer;

struct Groove(Forest<Transfer>);

pub(super) fn open(directory: &Path) -> Result<impl Engine + use<>> {
    let options = Options::default().cache_size(CACHE_SIZE);
    Ok(Groove(Forest::open(directory.join("ledger.groove"), options)?))
}

impl Engine for Groove {
    fn insert(&self, batch: &[Transfer]) -> Result<()> {
        self.0.write(|transfers| {
            for transfer in batch {
                transfers.insert(*transfer)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn update(&self, batch: &[Change]) -> Result<()> {
        self.0.write(|transfers| {
            batch.iter().for_each(|change| transfers.prefetch_enqueue(change.id));
            transfers.prefetch().wait()?;
            for change in batch {
                transfers.modify(change.id, |transfer| {
                    transfer.code = change.code;
                    transfer.user_data_64 = change.user_data_64;
                })?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn read(&self, work: &mut dyn FnMut(&dyn Reader) -> Result<()>) -> Result<()> {
        work(&self.0.snapshot())
    }
}

impl Reader for Snapshot<Transfer> {
    fn get(&self, id: u128) -> Result<Option<Transfer>> {
        Ok(Snapshot::get(self, id)?)
    }

    fn latest(&self, account: u128, limit: usize, out: &mut Vec<Transfer>) -> Result<()> {
        let of_account = self.query(Transfer::DEBIT_ACCOUNT_ID.eq(account));
        out.extend(of_account.newest_first().limit(limit).collect()?);
        Ok(())
    }

    fn account_and_code(&self, account: u128, code: u16, out: &mut Vec<Transfer>) -> Result<()> {
        let both = Transfer::DEBIT_ACCOUNT_ID.eq(account) & Transfer::CODE.eq(code);
        out.extend(self.query(both).newest_first().collect()?);
        Ok(())
    }
}
