#!/usr/bin/env bash
# Creates the roles of lgi-mm, one for each kind of process, in the database $POSTGRES_DB. The Compose stack runs it at each
# `up`; on another server, run it yourself as a superuser before the first `lgi-mm migrate`:
#   POSTGRES_USER=postgres POSTGRES_DB=lgi_mm PGHOST=.. ROLE_PASSWORDS=deploy/secrets deploy/postgres/roles.sh
# Safe to run again: it sets the passwords of the files. `lgi-mm migrate` grants each role its rights on tables.
set -euo pipefail

# Directory of files called ROLE_password, without the prefix lgi_mm_. A role without a file gets no password.
export ROLE_PASSWORDS=${ROLE_PASSWORDS:-/run/secrets}

# The superuser's own password.
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(head -n 1 "$POSTGRES_PASSWORD_FILE")
    export PGPASSWORD
fi

sql() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"
}

sql <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', role)
FROM unnest(ARRAY['lgi_mm_owner', 'lgi_mm_engine', 'lgi_mm_scheduler', 'lgi_mm_cli', 'lgi_mm_reader', 'lgi_mm_scaler',
                  'lgi_mm_backup']) role
WHERE to_regrole(role) IS NULL
\gexec

-- The owner creates and changes tables, in `lgi-mm migrate` only. No role is a superuser.
ALTER DATABASE :"DBNAME" OWNER TO lgi_mm_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO lgi_mm_engine, lgi_mm_scheduler, lgi_mm_cli, lgi_mm_reader, lgi_mm_scaler, lgi_mm_backup;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', datname) FROM pg_database WHERE datname IN ('postgres', 'template1')
\gexec

-- Dashboards can run SQL written by their viewers, and the autoscaler is external: both only read, with short timeouts
-- and few connections. A session can change these settings, but not its privileges.
ALTER ROLE lgi_mm_reader CONNECTION LIMIT 10;
ALTER ROLE lgi_mm_scaler CONNECTION LIMIT 5;
-- Backups have everything in them, signed bytes too; the role that makes them changes nothing.
GRANT pg_read_all_data TO lgi_mm_backup;
ALTER ROLE lgi_mm_backup CONNECTION LIMIT 5;
ALTER ROLE lgi_mm_backup SET default_transaction_read_only = on;
SELECT format('ALTER ROLE %I SET %s', role, setting)
FROM unnest(ARRAY['lgi_mm_reader', 'lgi_mm_scaler']) role,
     unnest(ARRAY['default_transaction_read_only = on', 'statement_timeout = ''5s''', 'lock_timeout = ''1s''',
                  'idle_in_transaction_session_timeout = ''10s''']) setting
\gexec

-- By default every role may call these functions. Advisory locks elect the process that prunes and the one that takes the
-- census, so only roles of our own processes may take them. Large objects are unused and could be used to fill the disk.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
  AND (proname ~ '^pg_(try_)?advisory_' OR proname IN ('pg_notify', 'pg_logical_emit_message', 'lo_creat', 'lo_create',
       'lo_from_bytea', 'lo_put', 'lowrite'))
\gexec
SELECT format('GRANT EXECUTE ON FUNCTION %s TO lgi_mm_owner, lgi_mm_engine, lgi_mm_scheduler, lgi_mm_cli', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname ~ '^pg_(try_)?advisory_' OR proname = 'pg_notify')
\gexec
SQL

for role in owner engine scheduler cli reader scaler backup; do
    export PASSWORD_FILE=$ROLE_PASSWORDS/${role}_password
    if [ ! -s "$PASSWORD_FILE" ]; then continue; fi
    # psql reads the file itself, because every user of the machine can see the arguments of a process.
    sql <<SQL
\\set password \`head -n 1 "\$PASSWORD_FILE"\`
ALTER ROLE lgi_mm_$role PASSWORD :'password';
SQL
done
