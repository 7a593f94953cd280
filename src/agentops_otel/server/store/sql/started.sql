SELECT s.id, s.started_ns FROM session s WHERE /*where*/
