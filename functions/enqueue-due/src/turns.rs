//! The order of the claims. The due groups take turns, and in a group the merchants. So each group and each merchant
//! gets the same share of the rate, and a group without work leaves its share to the others. A merchant's own items
//! come in the order of their due times, which spreads them over the partitions of the index.

use std::collections::{HashMap, VecDeque};

/// Overdue items that are to be claimed. No group and no merchant is empty.
#[derive(Debug)]
pub struct Turns<T> {
    groups: VecDeque<VecDeque<VecDeque<T>>>,
}

impl<T> Turns<T> {
    /// The turns of these due groups, given an item's merchant and its due time.
    pub fn of(groups: Vec<Vec<T>>, merchant: fn(&T) -> &str, due_at: fn(&T) -> &str) -> Turns<T> {
        let groups = groups.into_iter().map(|mut items| {
            items.sort_by(|one, other| due_at(one).cmp(due_at(other)));
            by_merchant(items, merchant)
        });
        Turns { groups: groups.filter(|merchants| !merchants.is_empty()).collect() }
    }

    /// Takes the next items, at most `count`, all of one group. Empty if none is left.
    pub fn take(&mut self, count: usize) -> Vec<T> {
        let Some(mut merchants) = self.groups.pop_front() else { return Vec::new() };
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let Some(mut items) = merchants.pop_front() else { break };
            taken.extend(items.pop_front());
            if !items.is_empty() {
                merchants.push_back(items);
            }
        }
        if !merchants.is_empty() {
            self.groups.push_back(merchants);
        }
        taken
    }
}

/// The items of each merchant, in their order. The merchant of the first item comes first.
fn by_merchant<T>(items: Vec<T>, merchant: fn(&T) -> &str) -> VecDeque<VecDeque<T>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merchants: VecDeque<VecDeque<T>> = VecDeque::new();
    for item in items {
        let place = places.get(merchant(&item)).copied().unwrap_or_else(|| {
            places.insert(merchant(&item).to_owned(), merchants.len());
            merchants.push_back(VecDeque::new());
            merchants.len() - 1
        });
        merchants[place].push_back(item);
    }
    merchants
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A merchant and a due time.
    type Item = (&'static str, String);

    /// Overdue items of a merchant, due from `from` on, one after the other.
    fn items(merchant: &'static str, from: u32, count: u32) -> Vec<Item> {
        (from..from + count).map(|due_at| (merchant, format!("{due_at:03}"))).collect()
    }

    /// The due times in the order of the turns.
    fn order(groups: Vec<Vec<Item>>, chunk: usize) -> Vec<Vec<u32>> {
        let mut turns = Turns::of(groups, |item| item.0, |item| &item.1);
        let chunks = std::iter::from_fn(|| Some(turns.take(chunk)).filter(|taken| !taken.is_empty()));
        chunks.map(|taken| taken.iter().map(|item| item.1.parse().unwrap()).collect()).collect()
    }

    #[test]
    fn merchants_take_turns_however_much_one_has() {
        let group = [items("busy", 0, 5), items("other", 100, 1), items("third", 90, 1)].concat();
        assert_eq!(order(vec![group], 3), [vec![0, 90, 100], vec![1, 2, 3], vec![4]]);
    }

    #[test]
    fn groups_take_turns_and_leave_their_share_to_the_others() {
        let groups = vec![items("m", 0, 3), Vec::new(), items("m", 10, 5)];
        assert_eq!(order(groups, 2), [vec![0, 1], vec![10, 11], vec![2], vec![12, 13], vec![14]]);
    }

    #[test]
    fn a_merchants_items_are_claimed_by_due_time() {
        let group = [items("m", 7, 1), items("m", 3, 1), items("m", 5, 1)].concat();
        assert_eq!(order(vec![group], 10), [vec![3, 5, 7]]);
    }
}
