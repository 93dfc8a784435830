-- Once, as a superuser, in the service's database; psql 15 or later reads the passwords from its environment.
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD

-- Migrates, and owns what it makes.
CREATE ROLE auth_owner LOGIN PASSWORD :'owner_password';
-- Serves. It owns nothing.
CREATE ROLE auth_service LOGIN PASSWORD :'service_password';

-- By default everybody may connect to a database and, before PostgreSQL 15, make tables in it.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO auth_owner;
GRANT USAGE, CREATE ON SCHEMA public TO auth_owner;
GRANT CONNECT ON DATABASE :"DBNAME" TO auth_service;
GRANT USAGE ON SCHEMA public TO auth_service;
