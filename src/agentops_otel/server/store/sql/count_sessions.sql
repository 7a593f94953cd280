SELECT count(*) FROM session s WHERE /*where*/
