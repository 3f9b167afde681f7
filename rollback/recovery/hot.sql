-- The engine's hot path on PostgreSQL: claim and settle in one round trip and one commit each.
--
-- Through the ORM a settled compensation takes a dozen statements: the state, its audit event, the head of the
-- chain, the end of the try, what waited on it, and the next claim. Here it is one call. These functions do what
-- store.py does and nothing else, and the same tests hold for both; benchmarks/ says what they are worth.
--
-- Every transaction that changes something of a rollback locks the rollback's row first. So does each function,
-- and each of its statements sees what was committed before that lock was given (READ COMMITTED, VOLATILE).
-- Installed by a migration: whoever changes this file adds one.

CREATE OR REPLACE FUNCTION recourse_record(
    p_rollback uuid, p_types text[], p_payloads text[], p_at timestamptz, p_actor text[]
) RETURNS void LANGUAGE plpgsql AS $$
-- Appends events to the rollback's audit chain, hashed as chain.event_hash does it.
DECLARE
    chain record;
    previous text;
    digest text;
    moment text := to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"');
BEGIN
    -- Whoever calls this holds the rollback's row, and so does everybody else who writes to its chain.
    SELECT id, length, head INTO STRICT chain
    FROM rollback_auditchain WHERE kind = 'rollback' AND subject = p_rollback;
    previous := chain.head;
    FOR i IN 1 .. cardinality(p_types) LOOP
        digest := encode(sha256(convert_to(concat_ws(
            E'\x1f', previous, 'rollback', p_rollback, chain.length + i, p_types[i],
            p_actor[1], p_actor[2], p_actor[3], moment, p_payloads[i]), 'UTF8')), 'hex');
        INSERT INTO rollback_auditevent
            (kind, subject, number, type, actor_kind, actor_id, actor_name, at, payload, previous, hash)
        VALUES ('rollback', p_rollback, chain.length + i, p_types[i],
            p_actor[1], p_actor[2], p_actor[3], p_at, p_payloads[i], previous, digest);
        previous := digest;
    END LOOP;
    UPDATE rollback_auditchain SET length = chain.length + cardinality(p_types), head = previous, moved_at = p_at
    WHERE id = chain.id;
END $$;

CREATE OR REPLACE FUNCTION recourse_state_in(p_phase text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE p_phase WHEN 'check' THEN 'checking' WHEN 'execute' THEN 'executing' ELSE 'verifying' END
$$;

CREATE OR REPLACE FUNCTION recourse_lay(
    p_rollback uuid, p_at timestamptz, p_ids uuid[], p_steps uuid[], p_keys text[], p_states text[],
    p_by_software boolean[], p_in_doubt boolean[], p_waits int[], p_first uuid[], p_then uuid[]
) RETURNS void LANGUAGE sql AS $$
-- Lays down the plan: one compensation per step, in undo order, with the step's frozen undo copied where it lies.
    INSERT INTO rollback_compensation (
        id, rollback_id, step_id, system_id, round, position, key, undo, expires_at, begins_with, in_doubt, waits_for, state,
        state_at, attempts_made, attempts_allowed, fence, verified, last_error, evidence)
    SELECT planned.id, p_rollback, s.id, s.system_id, 1, planned.position, coalesce(planned.key, 'recourse-' || planned.id),
        CASE WHEN planned.by_software THEN s.undo END, s.undo_expires_at,
        CASE WHEN NOT planned.by_software OR s.undo #>> '{compensation,executor}' = 'manual' THEN ''
             WHEN jsonb_typeof(s.undo -> 'drift_check') = 'object' THEN 'check'
             ELSE 'execute' END,
        planned.in_doubt, planned.waits, planned.state, p_at, 0,
        coalesce((s.undo #>> '{compensation,retry,attempts}')::int, 5), 0, false, '', ''
    FROM unnest(p_ids, p_steps, p_keys, p_states, p_by_software, p_in_doubt, p_waits) WITH ORDINALITY
        AS planned (id, step, key, state, by_software, in_doubt, waits, position)
    JOIN rollback_step s ON s.id = planned.step;
    INSERT INTO rollback_compensationorder (first_id, then_id) SELECT * FROM unnest(p_first, p_then);
$$;

CREATE OR REPLACE FUNCTION recourse_claim(
    p_rollback uuid, p_limit int, p_at timestamptz, p_until timestamptz, p_worker int, p_actor text[]
) RETURNS TABLE (
    id uuid, fence bigint, key text, phase text, undo text, executed_at timestamptz, system uuid, input text, output text
) LANGUAGE plpgsql AS $$
-- Takes up to p_limit plain ready compensations whose systems have no rate and bear more calls now.
-- The last row has no id: it says by its fence how many more are ready.
DECLARE
    ids uuid[];
    systems uuid[];
BEGIN
    SELECT ARRAY(SELECT jsonb_array_elements_text(r.systems)::uuid) INTO systems
    FROM rollback_rollback r WHERE r.id = p_rollback AND r.state = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    PERFORM s.id FROM rollback_system s WHERE s.id = ANY (systems) ORDER BY s.id FOR NO KEY UPDATE;
    ids := ARRAY(
        SELECT ranked.id FROM (
            SELECT ready.*, row_number() OVER (PARTITION BY ready.system_id ORDER BY ready.position) AS nth
            FROM (
                SELECT c.id, c.system_id, c.position, room.free
                FROM rollback_compensation c
                JOIN (
                    SELECT s.id AS system_id, s.concurrency - (
                        SELECT count(*) FROM rollback_compensation f
                        WHERE f.system_id = s.id AND f.state IN ('checking', 'executing', 'verifying')) AS free
                    FROM rollback_system s WHERE s.id = ANY (systems) AND s.rate = ''
                ) room ON room.system_id = c.system_id AND room.free > 0
                WHERE c.rollback_id = p_rollback AND c.state = 'ready' AND c.begins_with <> ''
                    AND (c.expires_at IS NULL OR c.expires_at > p_at OR c.executed_at IS NOT NULL)
                ORDER BY c.position LIMIT p_limit
            ) ready
        ) ranked WHERE ranked.nth <= ranked.free ORDER BY ranked.position);
    IF cardinality(ids) > 0 THEN
        UPDATE rollback_compensation c
        SET state = recourse_state_in(c.begins_with), state_at = p_at,
            fence = c.fence + 1, leased_until = p_until, leased_by = p_worker, attempts_made = c.attempts_made + 1,
            started_at = coalesce(c.started_at, p_at), next_attempt_at = NULL
        WHERE c.id = ANY (ids);
        INSERT INTO rollback_attempt (compensation_id, number, phase, fence, started_at, outcome, detail)
        SELECT c.id, c.attempts_made, c.begins_with, c.fence, p_at, '', ''
        FROM rollback_compensation c WHERE c.id = ANY (ids);
        PERFORM recourse_record(p_rollback, array_agg(taken.type), array_agg(taken.payload), p_at, p_actor)
        FROM (
            SELECT 'compensation.' || c.begins_with AS type,
                '{"attempt":' || c.attempts_made || ',"id":"' || c.id || '"}' AS payload
            FROM rollback_compensation c WHERE c.id = ANY (ids) ORDER BY c.position
        ) taken;
        RETURN QUERY
        SELECT c.id, c.fence, c.key::text, c.begins_with::text, c.undo::text,
            c.executed_at, c.system_id, step.input::text, step.output::text
        FROM rollback_compensation c JOIN rollback_step step ON step.id = c.step_id
        WHERE c.id = ANY (ids) ORDER BY c.position;
    END IF;
    RETURN QUERY
    SELECT NULL::uuid, count(*), NULL, NULL, NULL, NULL::timestamptz, NULL::uuid, NULL, NULL
    FROM (SELECT FROM rollback_compensation c WHERE c.rollback_id = p_rollback AND c.state = 'ready' LIMIT 1) more;
END $$;

CREATE OR REPLACE FUNCTION recourse_advance(
    p_rollback uuid, p_id uuid, p_fence bigint, p_phase text, p_next text, p_status int, p_detail text,
    p_at timestamptz, p_actor text[]
) RETURNS boolean LANGUAGE plpgsql AS $$
-- Settles a phase that succeeded and enters the next one. False, and nothing changed, when the fence is not ours.
BEGIN
    PERFORM FROM rollback_rollback r WHERE r.id = p_rollback FOR NO KEY UPDATE;
    UPDATE rollback_compensation c
    SET state = recourse_state_in(p_next), state_at = p_at,
        executed_at = CASE WHEN p_phase = 'execute' THEN p_at ELSE c.executed_at END,
        -- A call that is recorded as done is not made again: only its effect is looked at.
        begins_with = CASE WHEN p_next = 'verify' THEN 'verify' ELSE c.begins_with END
    WHERE c.id = p_id AND c.rollback_id = p_rollback AND c.fence = p_fence AND c.state = recourse_state_in(p_phase);
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE rollback_attempt a SET ended_at = p_at, outcome = 'succeeded', status = p_status, detail = p_detail
    WHERE a.compensation_id = p_id AND a.fence = p_fence AND a.phase = p_phase AND a.ended_at IS NULL;
    INSERT INTO rollback_attempt (compensation_id, number, phase, fence, started_at, outcome, detail)
    SELECT c.id, c.attempts_made, p_next, c.fence, p_at, '', '' FROM rollback_compensation c WHERE c.id = p_id;
    PERFORM recourse_record(
        p_rollback, ARRAY['compensation.' || p_next], ARRAY['{"id":"' || p_id || '"}'], p_at, p_actor);
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION recourse_finish(
    p_rollback uuid, p_id uuid, p_fence bigint, p_phase text, p_status int, p_detail text, p_take boolean,
    p_at timestamptz, p_until timestamptz, p_worker int, p_actor text[]
) RETURNS TABLE (
    id uuid, fence bigint, key text, phase text, undo text, executed_at timestamptz, system uuid, input text, output text
) LANGUAGE plpgsql AS $$
-- Settles a compensation as compensated and frees what waited on it. With p_take it claims one that it freed: one
-- call ends and one begins, so it is one of the same system, and nothing needs to be counted. (Not for a system
-- that has a rate.)
-- The last row has no id: it says by its fence how many became ready and were not claimed. No row: the fence is
-- not ours, and nothing changed.
DECLARE
    running boolean;
    own_system uuid;
    types text[];
    payloads text[];
    opened bigint := 0;
    waiting record;
    taken rollback_compensation;
BEGIN
    SELECT r.state = 'running' INTO running FROM rollback_rollback r WHERE r.id = p_rollback FOR NO KEY UPDATE;
    UPDATE rollback_compensation c
    SET state = 'compensated', state_at = p_at, ended_at = p_at, leased_until = NULL, last_error = '',
        executed_at = CASE WHEN p_phase = 'execute' THEN p_at ELSE c.executed_at END, verified = p_phase = 'verify'
    WHERE c.id = p_id AND c.rollback_id = p_rollback AND c.fence = p_fence AND c.state = recourse_state_in(p_phase)
    RETURNING c.system_id INTO own_system;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE rollback_attempt a SET ended_at = p_at, outcome = 'succeeded', status = p_status, detail = p_detail
    WHERE a.compensation_id = p_id AND a.fence = p_fence AND a.phase = p_phase AND a.ended_at IS NULL;
    types := ARRAY['compensation.compensate'];
    payloads := ARRAY['{"id":"' || p_id || '","verified":' || (p_phase = 'verify')::text || '}'];
    p_take := p_take AND running;
    FOR waiting IN
        SELECT c.id, c.waits_for, c.system_id = own_system AND c.begins_with <> ''
            AND (c.expires_at IS NULL OR c.expires_at > p_at) AS plain
        FROM rollback_compensationorder o JOIN rollback_compensation c ON c.id = o.then_id
        WHERE o.first_id = p_id AND c.state = 'blocked' ORDER BY c.position
    LOOP
        IF waiting.waits_for > 1 THEN
            UPDATE rollback_compensation c SET waits_for = c.waits_for - 1 WHERE c.id = waiting.id;
            CONTINUE;
        END IF;
        types := types || 'compensation.unblock'::text;
        payloads := payloads || ('{"id":"' || waiting.id || '"}');
        IF p_take AND waiting.plain THEN
            p_take := false;
            UPDATE rollback_compensation c
            SET waits_for = 0, state = recourse_state_in(c.begins_with), state_at = p_at, fence = c.fence + 1,
                leased_until = p_until, leased_by = p_worker, attempts_made = c.attempts_made + 1, started_at = p_at
            WHERE c.id = waiting.id RETURNING c.* INTO STRICT taken;
        ELSE
            opened := opened + 1;
            UPDATE rollback_compensation c SET waits_for = 0, state = 'ready', state_at = p_at WHERE c.id = waiting.id;
        END IF;
    END LOOP;
    IF taken.id IS NOT NULL THEN
        INSERT INTO rollback_attempt (compensation_id, number, phase, fence, started_at, outcome, detail)
        VALUES (taken.id, taken.attempts_made, taken.begins_with, taken.fence, p_at, '', '');
        types := types || ('compensation.' || taken.begins_with);
        payloads := payloads || ('{"attempt":' || taken.attempts_made || ',"id":"' || taken.id || '"}');
        RETURN QUERY
        SELECT taken.id, taken.fence, taken.key::text, taken.begins_with::text, taken.undo::text, taken.executed_at,
            taken.system_id, step.input::text, step.output::text
        FROM rollback_step step WHERE step.id = taken.step_id;
    END IF;
    PERFORM recourse_record(p_rollback, types, payloads, p_at, p_actor);
    RETURN QUERY SELECT NULL::uuid, opened, NULL, NULL, NULL, NULL::timestamptz, NULL::uuid, NULL, NULL;
END $$;

CREATE OR REPLACE FUNCTION recourse_finish_all(
    p_rollback uuid, p_ids uuid[], p_fences bigint[], p_phases text[], p_statuses int[], p_details text[],
    p_takes boolean[], p_at timestamptz, p_until timestamptz, p_worker int, p_actor text[]
) RETURNS TABLE (
    nth int, id uuid, fence bigint, key text, phase text, undo text, executed_at timestamptz, system uuid, input text,
    output text
) LANGUAGE plpgsql AS $$
-- recourse_finish for all that have landed by now, in one commit: waiting for one disk write each would keep them
-- unrecorded for longer. One whose fence is not ours changes nothing and gives no row.
BEGIN
    FOR i IN 1 .. cardinality(p_ids) LOOP
        RETURN QUERY SELECT i - 1, done.* FROM recourse_finish(
            p_rollback, p_ids[i], p_fences[i], p_phases[i], p_statuses[i], p_details[i], p_takes[i],
            p_at, p_until, p_worker, p_actor) done;
    END LOOP;
END $$;
