#!/bin/sh
set -eu
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --auth-root-authentication-method=normal --skip-test-db >/dev/null
  mariadbd --bootstrap <<SQL
FLUSH PRIVILEGES;
CREATE DATABASE $MARIADB_DATABASE;
CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$MARIADB_PASSWORD';
GRANT ALL ON $MARIADB_DATABASE.* TO '$MARIADB_USER'@'%';
ALTER USER root@localhost IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
SQL
fi
exec mariadbd --bind-address=0.0.0.0 "$@"
