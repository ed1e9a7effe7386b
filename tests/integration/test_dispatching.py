"""What is handed out, what is handed out again, and what a message that could not be sent leaves behind."""

from datetime import timedelta

from tests.integration.plant import CLAIM_DEADLINE_S, Plant, Steps

THREE: Steps = {"c": [], "a": [], "b": []}


def test_a_step_whose_messages_are_lost_is_offered_again_after_8_16_and_then_every_32_seconds(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    step_id = ids.steps["a"]
    plant.dispatch(ids.build)
    waits = []
    for _ in range(5):
        run = plant.run_of(step_id)
        assert run.redispatch_at is not None
        assert run.dispatched_at is not None
        waits.append((run.redispatch_at - run.dispatched_at).total_seconds())
        assert (plant.unclaimed(), plant.dispatch_again(1)) == ({}, [])
        plant.age_step(step_id)
        assert [each.step_id for each in plant.dispatch_again(1)] == [step_id]
    assert waits == [8, 16, 32, 32, 32]


def test_steps_are_sent_in_the_order_in_which_they_wait(plant: Plant) -> None:
    ids = plant.planned(THREE)
    by_id = {step_id: name for name, step_id in ids.steps.items()}
    assert [by_id[each.step_id] for each in plant.dispatch(ids.build)] == list(THREE)
    for name, past_s in (("b", 90), ("c", 60)):
        plant.age_step(ids.steps[name], past_s)
    assert [by_id[each.step_id] for each in plant.dispatch_again(9)] == ["b", "c"]


def test_no_more_is_sent_again_than_was_lost_and_to_no_other_pool(plant: Plant) -> None:
    ids = plant.planned({**THREE, "elsewhere": []}, elsewhere={"pool": "lab"})
    plant.dispatch(ids.build)
    for past_s, name in enumerate(("c", "b", "a", "elsewhere"), start=60):
        plant.age_step(ids.steps[name], past_s)
    assert {each.step_id for each in plant.dispatch_again(2)} == {ids.steps["a"], ids.steps["b"]}
    assert plant.unclaimed() == {"default": 3, "lab": 1}


def test_only_steps_that_were_sent_and_are_not_claimed_are_missed_and_only_once_one_is_late(plant: Plant) -> None:
    ids = plant.planned({**THREE, "claimed": []})
    plant.dispatch(ids.build)
    plant.planned({"never sent": []})
    plant.claim(ids.steps["claimed"])
    assert plant.unclaimed() == {}
    plant.age_step(ids.steps["b"])
    assert plant.unclaimed() == {"default": 3}


def test_a_claimed_step_is_not_sent_again(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    plant.dispatch(ids.build)
    plant.claim(ids.steps["a"])
    plant.age_step(ids.steps["a"])
    assert (plant.dispatch(ids.build), plant.dispatch_unsent(), plant.dispatch_again(9)) == ([], [], [])


def test_a_step_whose_hint_was_lost_is_found_and_one_whose_hint_is_on_its_way_is_left(plant: Plant) -> None:
    ids, sent = plant.planned({"old": [], "new": []}), plant.planned({"sent": []})
    plant.dispatch(sent.build)
    for step_id in (ids.steps["old"], sent.steps["sent"]):
        plant.age_step(step_id)
    assert [each.step_id for each in plant.dispatch_again(9)] == [sent.steps["sent"]]
    assert [each.step_id for each in plant.dispatch_unsent()] == [ids.steps["old"]]


def test_a_message_that_could_not_be_sent_leaves_its_step_as_if_never_offered(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    before = plant.run_of(ids.steps["a"])
    sent = plant.dispatch(ids.build)
    plant.take_back(sent)
    after = plant.run_of(ids.steps["a"])
    assert (after.dispatches, after.dispatched_at) == (before.dispatches, before.dispatched_at) == (0, None)
    assert plant.dispatch(ids.build) == sent


def test_a_second_message_that_could_not_be_sent_leaves_the_first_one_sent_and_its_step_due(plant: Plant) -> None:
    ids = plant.planned({"a": []})
    first = plant.dispatch(ids.build)
    plant.age_step(ids.steps["a"])
    plant.take_back(plant.dispatch_again(1))
    run = plant.run_of(ids.steps["a"])
    assert run.dispatched_at is not None
    assert run.redispatch_at is not None
    assert (run.dispatches, plant.dispatch(ids.build)) == (1, [])
    assert run.redispatch_at < run.dispatched_at + timedelta(seconds=CLAIM_DEADLINE_S)
    plant.age_step(ids.steps["a"], past_s=2)
    assert plant.dispatch_again(1) == first


def test_what_was_claimed_or_became_another_attempt_meanwhile_is_not_taken_back(plant: Plant) -> None:
    ids = plant.planned({"claimed": [], "retried": []})
    sent = plant.dispatch(ids.build)
    for step_id in ids.steps.values():
        plant.claim(step_id)
    plant.lose(ids.steps["retried"])
    before = plant.snapshot()
    plant.take_back(sent)
    assert plant.snapshot() == before
