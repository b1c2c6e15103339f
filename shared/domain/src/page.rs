//! Pages of lists: what may be asked for, when a page is complete, and whether the list goes on behind it.

use crate::currency::Currency;
use crate::time::Timestamp;

/// The most items of a page.
pub const LIMIT_MAX: u16 = 100;
/// The most items that are considered for one page: so many are read for a filter that hardly anything passes, then
/// the page ends. On a slow store it ends earlier, with [`PageBuilder::cut`].
pub const CANDIDATES_MAX: usize = 1000;
/// The most items that are considered before the page looks again at what it has.
const STEP_MAX: usize = 100;

/// The most items of a page that is asked for, 1 to [`LIMIT_MAX`]: a page of none would end a list in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// Where nobody says how many: ten.
    pub const DEFAULT: Limit = Limit(10);

    /// None for 0 and above [`LIMIT_MAX`].
    pub fn new(limit: u16) -> Option<Limit> {
        (1..=LIMIT_MAX).contains(&limit).then_some(Limit(limit))
    }
}

/// A part of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The most items.
    pub limit: Limit,
    /// Only what was created then or later.
    pub created_from: Option<Timestamp>,
    /// Only what was created earlier than that.
    pub created_before: Option<Timestamp>,
    /// Only what sorts behind this: where the page before ended. None: from the newest on.
    pub position: Option<String>,
}

/// What a list is narrowed down to. `S` is the resource's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<S> {
    /// Only what has this status.
    pub status: Option<S>,
    /// Only what is in this currency.
    pub currency: Option<Currency>,
}

impl<S: PartialEq> Filter<S> {
    /// Whether everything passes.
    pub fn is_open(&self) -> bool {
        self.status.is_none() && self.currency.is_none()
    }

    /// Whether an item with this status, in this currency, passes.
    pub fn passes(&self, status: &S, currency: Currency) -> bool {
        self.status.as_ref().is_none_or(|wanted| wanted == status)
            && self.currency.is_none_or(|wanted| wanted == currency)
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// Where the list goes on. None: certainly nowhere.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page of a list that was read as a whole, each with its position. A position begins with the time of creation.
    pub fn of(list: impl Iterator<Item = (String, T)>, asked: &PageRequest) -> Page<T> {
        let from = asked.created_from.map(|time| time.to_string());
        let before = asked.created_before.map(|time| time.to_string());
        let mut left: Vec<(String, T)> = list
            .filter(|(position, _)| from.as_ref().is_none_or(|from| position >= from))
            .filter(|(position, _)| before.as_ref().is_none_or(|before| position < before))
            .filter(|(position, _)| asked.position.as_ref().is_none_or(|end| position < end))
            .collect();
        left.sort_by(|(one, _), (other, _)| other.cmp(one));
        let goes_on = left.len() > usize::from(asked.limit.0);
        left.truncate(usize::from(asked.limit.0));
        let next = left.last().map(|(position, _)| position.clone()).filter(|_| goes_on);
        Page { items: left.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// A page while it is filled: it says how many candidates it wants to consider next, in the list's order, and is
/// complete when it wants none.
///
/// A page is full unless the list, [`CANDIDATES_MAX`] or the time ended it. Behind a full page of a narrowed list the
/// search goes on for one more that passes, so that the list is not said to go on where nothing follows; that one is
/// left to the next page, and all that did not pass before it is never considered again.
#[derive(Debug)]
pub struct PageBuilder<T> {
    limit: usize,
    everything: bool,
    items: Vec<T>,
    considered: usize,
    position: Option<String>,
    overflowed: bool,
}

impl<T> PageBuilder<T> {
    /// An empty page of a list of which `everything` passes, or not.
    pub fn new(limit: Limit, everything: bool) -> PageBuilder<T> {
        let limit = usize::from(limit.0);
        PageBuilder { limit, everything, items: Vec::new(), considered: 0, position: None, overflowed: false }
    }

    /// How many candidates to consider next. 0: the page is complete.
    pub fn wanted(&self) -> usize {
        let step = if self.everything {
            self.limit.saturating_sub(self.items.len())
        } else if self.overflowed {
            0
        } else {
            // As many again as were considered already: a filter that most items pass costs little, a rare one few
            // calls.
            (self.considered + self.limit + 1).min(STEP_MAX)
        };
        step.min(CANDIDATES_MAX.saturating_sub(self.considered))
    }

    /// Considers the candidate at `position`; `item` is none if it does not pass. What comes after the page is complete
    /// is left to the next.
    pub fn consider(&mut self, position: String, item: Option<T>) {
        if self.overflowed {
            return;
        }
        match item {
            Some(_) if self.items.len() >= self.limit => self.overflowed = true,
            item => {
                self.items.extend(item);
                self.considered += 1;
                self.position = Some(position);
            }
        }
    }

    /// Whether one is known that belongs to the next page.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The page when the time is up before it is complete: what was considered so far, and where the list goes on. None
    /// if nothing was considered: a page that leads nowhere would be asked for again and again.
    pub fn cut(self) -> Option<Page<T>> {
        self.position.map(|position| Page { items: self.items, next: Some(position) })
    }

    /// The page. `more`: whether there are candidates behind those considered.
    pub fn finish(self, more: bool) -> Page<T> {
        let goes_on = self.overflowed || more;
        Page { items: self.items, next: self.position.filter(|_| goes_on) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages through a list of `length` candidates of which `passing` pass: each page's items, and how many candidates
    /// it was given.
    fn walk(length: usize, limit: u16, passing: Option<&[usize]>) -> Vec<(Vec<usize>, usize)> {
        let mut pages = Vec::new();
        let mut from = 0;
        loop {
            let mut builder = PageBuilder::new(Limit::new(limit).unwrap(), passing.is_none());
            let mut given = from;
            while builder.wanted() > 0 && given < length {
                let until = length.min(given + builder.wanted());
                for candidate in given..until {
                    let item = passing.is_none_or(|passing| passing.contains(&candidate)).then_some(candidate);
                    builder.consider(candidate.to_string(), item);
                }
                given = until;
            }
            let page = builder.finish(given < length);
            pages.push((page.items, given - from));
            match page.next {
                Some(position) => from = position.parse::<usize>().unwrap() + 1,
                None => return pages,
            }
        }
    }

    #[test]
    fn a_whole_list_is_read_no_further_than_its_page() {
        assert_eq!(walk(5, 2, None), [(vec![0, 1], 2), (vec![2, 3], 2), (vec![4], 1)]);
        assert_eq!(walk(4, 2, None), [(vec![0, 1], 2), (vec![2, 3], 2)]);
        assert_eq!(walk(0, 2, None), [(vec![], 0)]);
    }

    #[test]
    fn a_narrowed_page_is_full_and_goes_on_only_where_another_passes() {
        // 3 considered, then 6: the third that passes is found, and is the next page's. Its 3, then 6, then the last.
        assert_eq!(walk(10, 2, Some(&[1, 3, 8])), [(vec![1, 3], 9), (vec![8], 2)]);
        assert_eq!(walk(10, 2, Some(&[1, 3])), [(vec![1, 3], 10)]);
        assert_eq!(walk(10, 2, Some(&[])), [(vec![], 10)]);
    }

    #[test]
    fn a_rare_one_ends_the_page_at_a_thousand_and_nothing_is_considered_twice() {
        let none: Vec<usize> = Vec::new();
        assert_eq!(
            walk(2500, 10, Some(&[999, 1000, 2499])),
            [(vec![999], 1000), (vec![1000], 1000), (vec![2499], 500)]
        );
        assert_eq!(walk(2000, 10, Some(&[0])), [(vec![0], 1000), (none.clone(), 1000)]);
        assert_eq!(walk(1001, 1, Some(&[0])), [(vec![0], 1000), (none, 1)]);
    }

    #[test]
    fn steps_grow_with_what_was_considered() {
        let mut builder: PageBuilder<()> = PageBuilder::new(Limit::DEFAULT, false);
        let mut steps = Vec::new();
        while builder.wanted() > 0 {
            steps.push(builder.wanted());
            (0..builder.wanted()).for_each(|_| builder.consider(String::new(), None));
        }
        // 11 × 2^n up to 100, and what is left of a thousand.
        assert_eq!(steps, [11, 22, 44, 88, 100, 100, 100, 100, 100, 100, 100, 100, 35]);
    }

    #[test]
    fn a_page_that_is_cut_goes_on_behind_what_was_considered_and_one_of_nothing_is_none() {
        let builder = || PageBuilder::new(Limit::new(2).unwrap(), false);
        assert_eq!(builder().cut(), None::<Page<u8>>);
        let mut nothing_passed: PageBuilder<u8> = builder();
        nothing_passed.consider("8".to_owned(), None);
        assert_eq!(nothing_passed.cut(), Some(Page { items: vec![], next: Some("8".to_owned()) }));
        let mut overflowed = builder();
        for (position, item) in [("8", Some(8)), ("7", None), ("6", Some(6)), ("5", Some(5))] {
            assert!(!overflowed.overflowed());
            overflowed.consider(position.to_owned(), item);
        }
        assert!(overflowed.overflowed());
        assert_eq!(overflowed.cut(), Some(Page { items: vec![8, 6], next: Some("6".to_owned()) }));
    }

    #[test]
    fn a_list_that_was_read_as_a_whole_is_shown_newest_first_within_its_times() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let list = || [3, 1, 5, 2, 4].map(|second| (format!("{}#x", at(second)), second)).into_iter();
        let asked =
            PageRequest { limit: Limit::new(2).unwrap(), created_from: None, created_before: None, position: None };
        let mut pages = vec![Page::of(list(), &asked)];
        while let Some(position) = pages.last().unwrap().next.clone() {
            pages.push(Page::of(list(), &PageRequest { position: Some(position), ..asked.clone() }));
        }
        let items: Vec<_> = pages.into_iter().map(|page| page.items).collect();
        assert_eq!(items, [vec![5, 4], vec![3, 2], vec![1]]);
        let between = PageRequest { created_from: Some(at(2)), created_before: Some(at(4)), ..asked };
        assert_eq!(Page::of(list(), &between), Page { items: vec![3, 2], next: None });
        // Also where a position is nothing but the time.
        let bare = list().map(|(_, second)| (at(second).to_string(), second));
        assert_eq!(Page::of(bare, &between).items, [3, 2]);
    }

    #[test]
    fn there_is_no_page_of_none_and_none_of_more_than_a_hundred() {
        assert_eq!([0, 101].map(Limit::new), [None, None]);
        assert_eq!([1, 100].map(Limit::new), [Some(Limit(1)), Some(Limit(100))]);
    }

    #[test]
    fn a_filter_passes_what_agrees_in_both() {
        let currency = |code| Currency::parse(code).unwrap();
        let filter = Filter { status: Some(1), currency: Some(currency("USD")) };
        let verdicts =
            [(1, "USD"), (2, "USD"), (1, "EUR")].map(|(status, code)| filter.passes(&status, currency(code)));
        assert_eq!(verdicts, [true, false, false]);
        assert!(!filter.is_open() && !Filter { status: None, ..filter }.is_open());
        let open: Filter<u8> = Filter { status: None, currency: None };
        assert!(open.is_open() && open.passes(&2, currency("EUR")));
    }
}
