-- What the roles of deploy/postgres/roles.sh may do, as far as those roles exist. Runs after each migration, by the role
-- that owns the tables, so a table that is new has its grants at once. What a role had before and has no more is taken.
DO $$
DECLARE
    -- History, and what others decide: no service deletes from these, whatever its triggers say.
    kept constant text[] := ARRAY['_sqlx_migrations', 'adjustments', 'attempts', 'audit', 'deliveries', 'fills',
        'gas_paid', 'installation', 'job_events', 'job_slots', 'jobs', 'outbox', 'price_samples', 'receivers', 'signers', 'ticks',
        'ticks_pruned', 'trades', 'transactions', 'withdrawals'];
    -- What a job is and how it trades is for its owner to say, through the command line.
    decided constant text[] := ARRAY['id', 'realm', 'chain', 'wallet', 'token_address', 'token_symbol',
        'token_decimals', 'quote_address', 'quote_symbol', 'quote_decimals', 'mode', 'config', 'config_version',
        'look_back_secs', 'created_at'];
    -- Signed bytes that are perhaps not sent yet; the instants at which slots will be claimed, and what tells them.
    hidden constant text[] := ARRAY['attempts.raw', 'installation.jitter_salt', 'job_slots.due_at'];
    readable constant text[] := ARRAY['_sqlx_migrations', 'adjustments', 'attempts', 'audit', 'fills', 'gas_paid',
        'job_events', 'job_slots', 'jobs', 'price_samples', 'reservations', 'signers', 'ticks', 'trades', 'transactions',
        'withdrawals'];
    one name;
    it record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ANY (ARRAY['lgi_mm_engine', 'lgi_mm_scheduler', 'lgi_mm_cli',
            'lgi_mm_reader', 'lgi_mm_scaler'])) THEN
        RETURN;
    END IF;
    -- Two grants of one table at once are an error of PostgreSQL's.
    PERFORM pg_advisory_xact_lock(hashtextextended('lgi-mm grants', 0));

    FOR one IN SELECT rolname FROM pg_roles WHERE rolname = ANY (ARRAY['lgi_mm_engine', 'lgi_mm_scheduler',
            'lgi_mm_cli', 'lgi_mm_reader', 'lgi_mm_scaler']) LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public, paper, apalis FROM %I', one);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', one);
        EXECUTE format('REVOKE ALL ON SCHEMA paper, apalis FROM %I', one);
    END LOOP;

    -- Workers: all of the ledger, but no job of their own making and no other configuration than the one given.
    IF to_regrole('lgi_mm_engine') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA public, paper, apalis TO lgi_mm_engine;
        -- How far they are shows whether the ledger is whole.
        GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO lgi_mm_engine;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO lgi_mm_engine;
        -- Who may use the HTTP API or a chat is no affair of theirs.
        REVOKE ALL ON public.api_tokens, public.api_requests, public.signals, public.chat_bots, public.chat_commands,
            public.chat_codes FROM lgi_mm_engine;
        FOR it IN SELECT relname, relname = ANY (kept) AS keep FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                  -- Nonces are reset by hand, on evidence, through the command line, whose writes the audit is of.
                  AND relname <> ALL (ARRAY['_sqlx_migrations', 'api_requests', 'api_tokens', 'audit', 'chat_bots', 'chat_codes',
                    'chat_commands', 'installation', 'jobs', 'nonce_repairs', 'signals']) LOOP
            EXECUTE format('GRANT INSERT, UPDATE %s ON public.%I TO lgi_mm_engine',
                CASE WHEN it.keep THEN '' ELSE ', DELETE' END, it.relname);
        END LOOP;
        FOR it IN SELECT string_agg(quote_ident(attname), ', ') AS columns FROM pg_attribute
                WHERE attrelid = 'public.jobs'::regclass AND attnum > 0 AND NOT attisdropped
                  AND attname <> ALL (decided) LOOP
            EXECUTE format('GRANT UPDATE (%s) ON public.jobs TO lgi_mm_engine', it.columns);
        END LOOP;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA paper TO lgi_mm_engine;
        GRANT SELECT, INSERT, UPDATE, DELETE ON apalis.jobs, apalis.workers TO lgi_mm_engine;
        GRANT SELECT ON apalis._sqlx_migrations TO lgi_mm_engine;
        -- What was announced, so that nothing is announced twice.
        GRANT UPDATE (announced) ON public.installation TO lgi_mm_engine;
    END IF;

    -- Schedulers: claim slots, hand out tasks, notify receivers, delete expired rows. They make no trade and see no
    -- signed bytes.
    IF to_regrole('lgi_mm_scheduler') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA public, paper, apalis TO lgi_mm_scheduler;
        -- How far they are shows whether the ledger is whole.
        GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO lgi_mm_scheduler;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO lgi_mm_scheduler;
        REVOKE ALL ON public.attempts, public.api_tokens, public.chat_codes FROM lgi_mm_scheduler;
        -- How old they are, and no hash.
        GRANT SELECT (id, expires_at, revoked_at), DELETE ON public.api_tokens TO lgi_mm_scheduler;
        GRANT SELECT (expires_at), DELETE ON public.chat_codes TO lgi_mm_scheduler;
        GRANT UPDATE ON public.job_slots, public.fill_watches, public.failure_watches, public.outbox, public.receivers,
            public.deliveries, public.ticks_pruned TO lgi_mm_scheduler;
        GRANT UPDATE (next_check_at) ON public.trades, public.withdrawals TO lgi_mm_scheduler;
        GRANT UPDATE (count) ON public.ticks TO lgi_mm_scheduler;
        GRANT UPDATE (announced) ON public.installation TO lgi_mm_scheduler;
        GRANT INSERT ON public.outbox, public.receivers, public.deliveries, public.ticks_pruned TO lgi_mm_scheduler;
        GRANT DELETE ON public.ticks, public.price_samples, public.outbox, public.receivers, public.deliveries,
            public.api_requests, public.signals, public.chat_commands TO lgi_mm_scheduler;
        GRANT SELECT ON paper.balances TO lgi_mm_scheduler;
        GRANT SELECT, INSERT, UPDATE, DELETE ON apalis.jobs TO lgi_mm_scheduler;
        GRANT SELECT ON apalis.workers, apalis._sqlx_migrations TO lgi_mm_scheduler;
    END IF;

    -- The command line: all rows. It owns no table: what is append-only stays so for it too.
    IF to_regrole('lgi_mm_cli') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA public, paper, apalis TO lgi_mm_cli;
        -- How far they are shows whether the ledger is whole.
        GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO lgi_mm_cli;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, paper, apalis TO lgi_mm_cli;
        REVOKE INSERT, UPDATE, DELETE ON public._sqlx_migrations, apalis._sqlx_migrations, public.installation
            FROM lgi_mm_cli;
    END IF;

    -- Dashboards. A table that is new is not theirs before it is named here.
    IF to_regrole('lgi_mm_reader') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA public TO lgi_mm_reader;
        FOR it IN SELECT relname, string_agg(quote_ident(attname), ', ') AS columns
                FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (readable)
                  AND c.relname || '.' || a.attname <> ALL (hidden)
                GROUP BY relname LOOP
            EXECUTE format('GRANT SELECT (%s) ON public.%I TO lgi_mm_reader', it.columns, it.relname);
        END LOOP;
    END IF;

    -- The autoscaler: how many tasks wait, and not what they are.
    IF to_regrole('lgi_mm_scaler') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA apalis TO lgi_mm_scaler;
        GRANT SELECT (status, run_at) ON apalis.jobs TO lgi_mm_scaler;
    END IF;
END $$;
