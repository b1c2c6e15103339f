//! One module for each promise.

mod a_payment_can_be_traced;
mod card_numbers_never_enter;
mod cargo_lambda_works;
mod conflicts_are_retried;
mod disorder_changes_nothing;
mod every_function_is_described;
mod everything_finishes_after_a_kill;
mod first_slice;
mod folds_lose_nothing;
mod logs_hold_no_secrets;
mod make_dev_works;
mod no_attempt_is_lost;
mod one_charge_whatever_dies;
mod one_key_one_payment;
mod one_line_for_each_invocation;
mod one_store_call;
mod panics_are_survived;
mod poison_hurts_nobody_else;
mod starting_is_told;
mod store_faults_are_told;
mod template_drives_the_runner;
mod tenants_are_strangers;
mod terminal_states_are_absolute;
mod throttles_are_told;
mod unknown_outcomes_are_asked;
mod what_is_posted_stays;
