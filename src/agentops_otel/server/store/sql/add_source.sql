INSERT INTO source (
    digest, service, host, pid, runtime, instance, sdk, scope, scope_version, resource
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
