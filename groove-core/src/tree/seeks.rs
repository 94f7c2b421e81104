//! What many seeks, one after the other, answer: how streams and scans give many timestamps that know no
//! faster way.

/// Appends the lowest numbers at or beyond `target` that `seek` finds: `count` of them, or fewer if these are all.
pub(crate) fn fill<E>(
    mut seek: impl FnMut(u64) -> Result<Option<u64>, E>,
    mut target: u64,
    count: usize,
    out: &mut Vec<u64>,
) -> Result<(), E> {
    let end = out.len() + count;
    while out.len() < end {
        let Some(found) = seek(target)? else { break };
        out.push(found);
        target = found + 1;
    }
    Ok(())
}

/// Keeps, of `numbers`, which ascend, those that `seek` finds. What has ended is not asked again.
pub(crate) fn retain<E>(
    mut seek: impl FnMut(u64) -> Result<Option<u64>, E>,
    numbers: &mut Vec<u64>,
) -> Result<(), E> {
    let mut kept = 0;
    for at in 0..numbers.len() {
        let number = numbers[at];
        let Some(found) = seek(number)? else { break };
        if found == number {
            numbers[kept] = number;
            kept += 1;
        }
    }
    numbers.truncate(kept);
    Ok(())
}
