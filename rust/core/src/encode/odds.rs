//! Whether asking is worth it: how often what was asked for lately was found.

/// What a few hundred or thousand askings have taught.
#[derive(Debug, Default)]
pub(super) struct Odds {
    n_asked: u32,
    n_found: u32,
    n_skipped: u32,
}

impl Odds {
    /// Asking pays where more than one in so many is found.
    const WORTH: u32 = 6;

    /// Before that, nothing is known.
    const FIRST: u32 = 1 << 8;

    /// After so many, what was long ago counts half.
    const MOST: u32 = 1 << 12;

    /// Where it does not pay, one in so many asks all the same, as the text may change.
    const SKIPPED: u32 = 16;

    /// Whether to ask.
    #[inline]
    pub(super) fn are_good(&mut self) -> bool {
        if self.n_asked < Self::FIRST || Self::WORTH * self.n_found > self.n_asked {
            return true;
        }
        self.n_skipped = (self.n_skipped + 1) % Self::SKIPPED;
        self.n_skipped == 0
    }

    /// Takes note of an answer.
    #[inline]
    pub(super) fn note(&mut self, is_found: bool) {
        self.n_asked += 1;
        self.n_found += u32::from(is_found);
        if self.n_asked == Self::MOST {
            (self.n_asked, self.n_found) = (self.n_asked / 2, self.n_found / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seldom_found_is_seldom_asked_for() {
        let mut odds = Odds::default();
        let mut n_asked = |is_found: &dyn Fn(u32) -> bool| {
            (0..100_000)
                .filter(|&number| {
                    let asks = odds.are_good();
                    if asks {
                        odds.note(is_found(number));
                    }
                    asks
                })
                .count()
        };
        assert_eq!(n_asked(&|number| number % 4 == 0), 100_000);
        let n_few = n_asked(&|number| number % 19 == 0);
        assert!((6_000..15_000).contains(&n_few), "{n_few}");
        let n_many = n_asked(&|_| true);
        assert!(n_many > 80_000, "{n_many}");
    }
}
